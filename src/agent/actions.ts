import { ACTION_ANNOTATION, type ActionName, actionNames, CAPTURES, isAction } from '../model/action.ts';
import type { AlertTransition } from '../model/alert.ts';
import type { LogData } from '../model/log.ts';

const ACTION_EVENT = 'taskwarden.action';

/** Actions of one alert; further names count as refused. */
const MAX_ACTIONS = 8;
/** Alerts whose actions are under way at a time: in a storm the ones that come later are refused. */
const MAX_ALERTS = 8;

/**
 * What became of an action. Tried: `done`, `failed`. Not tried: `refused`, as it would harm others or too many are under way; `gone`, as the
 * run that it was about has ended; `not_allowed` by the configuration; `unknown`, as there is none of that name; `dry_run`, as the
 * configuration has actions only told.
 */
export type ActionOutcome = 'done' | 'failed' | 'refused' | 'gone' | 'not_allowed' | 'unknown' | 'dry_run';

export interface ActionResult {
  readonly outcome: 'done' | 'failed' | 'refused' | 'gone';
  /** What was done, or why not: one sentence. */
  readonly message: string;
  /** What else the event is to carry. */
  readonly attributes?: LogData['attributes'];
}

export interface Action {
  /** Path of the file that it is going to write, so that the alert can name it before it is there. */
  readonly evidence?: (transition: AlertTransition) => string | undefined;
  /** Does it, or rejects. `evidence` is what the function of that name gave. */
  readonly run: (
    transition: AlertTransition,
    evidence: string | undefined,
  ) => ActionResult | Promise<ActionResult>;
  /** Takes it back when the alert ends; an event of its own, unless there was nothing to take back. */
  readonly end?: (transition: AlertTransition) => Promise<ActionResult | undefined>;
  /** What it would do, as one sentence. */
  readonly plan?: (transition: AlertTransition) => string;
}

export interface ActionsOptions {
  /** What each name does; names that are left out cannot be done here. */
  readonly actions: Partial<Record<ActionName, Action>>;
  /** Names that the configuration allows. */
  readonly allowed: readonly string[];
  /** Says what would be done instead of doing it; what only looks is done all the same. */
  readonly dryRun: boolean;
  /** Receives the event of each action. */
  readonly onEvent: (record: LogData) => void;
  readonly count: (action: string, outcome: ActionOutcome) => void;
  /** Wall clock, ms since the Unix epoch. */
  readonly now: () => number;
}

interface Planned {
  readonly name: string;
  readonly action: Action | undefined;
  readonly evidence: string | undefined;
  readonly verdict: { readonly outcome: ActionOutcome; readonly message: string } | undefined;
}

/** Does what a rule asks for when its alert begins to fire, as far as the configuration allows it. */
export class Actions {
  readonly #options: ActionsOptions;
  #underWay = 0;
  /** What is to be taken back at the end of an alert, by its fingerprint. */
  readonly #lasting = new Map<
    string,
    { readonly begun: Promise<void>; readonly names: readonly ActionName[] }
  >();

  constructor(options: ActionsOptions) {
    this.#options = options;
  }

  /**
   * Begins the actions that an alert which begins to fire asks for, one after the other in the order of the annotation, and takes
   * back at its end what can be.
   *
   * @returns paths of the files that there will be, to be named in the alert
   */
  dispatch(transition: AlertTransition): string[] {
    if (transition.state === 'resolved') void this.#takeBack(transition);
    if (transition.state !== 'firing' || transition.previousState === 'firing') return [];
    const names = actionNames(transition.annotations[ACTION_ANNOTATION]);
    if (names.length === 0) return [];
    const busy = this.#underWay >= MAX_ALERTS;
    const planned = names.map((name, at) => this.#plan(name, transition, busy || at >= MAX_ACTIONS));
    this.#underWay++;
    const begun = this.#runAll(planned, transition).finally(() => this.#underWay--);
    const lasting = planned.filter(({ action }) => action?.end !== undefined);
    if (lasting.length > 0)
      this.#lasting.set(transition.fingerprint, {
        begun,
        names: lasting.map(({ name }) => name as ActionName),
      });
    return planned.flatMap(({ evidence }) => evidence ?? []);
  }

  #plan(name: string, transition: AlertTransition, tooMany: boolean): Planned {
    const { actions, allowed, dryRun } = this.#options;
    const verdict = (outcome: ActionOutcome, message: string): Planned => ({
      name: isAction(name) ? name : 'unknown',
      action: undefined,
      evidence: undefined,
      verdict: { outcome, message },
    });
    if (!isAction(name)) return verdict('unknown', `there is no action "${name.slice(0, 100)}"`);
    if (!allowed.includes(name)) return verdict('not_allowed', 'the option `actions` does not allow it');
    const action = actions[name];
    if (action === undefined) return verdict('refused', 'it cannot be done in this process');
    if (tooMany) return verdict('refused', 'too many actions are under way');
    if (dryRun && !(CAPTURES as readonly string[]).includes(name))
      return verdict('dry_run', action.plan?.(transition) ?? 'it would have been done');
    return { name, action, evidence: action.evidence?.(transition), verdict: undefined };
  }

  async #takeBack(transition: AlertTransition): Promise<void> {
    const lasting = this.#lasting.get(transition.fingerprint);
    if (lasting === undefined) return;
    this.#lasting.delete(transition.fingerprint);
    await lasting.begun;
    for (const name of lasting.names) {
      const result = await this.#options.actions[name]?.end?.(transition).catch(failure);
      if (result !== undefined) this.#tell(name, result, transition, undefined);
    }
  }

  async #runAll(planned: readonly Planned[], transition: AlertTransition): Promise<void> {
    for (const { name, action, evidence, verdict } of planned) {
      try {
        const result: ActionResult | Planned['verdict'] =
          verdict ?? (await action?.run(transition, evidence));
        if (result !== undefined) this.#tell(name, result, transition, evidence);
      } catch (error) {
        this.#tell(name, failure(error), transition, evidence);
      }
    }
  }

  #tell(
    name: string,
    result: { outcome: ActionOutcome; message: string; attributes?: LogData['attributes'] },
    transition: AlertTransition,
    evidence: string | undefined,
  ): void {
    this.#options.count(name, result.outcome);
    const file =
      result.outcome === 'done' && evidence !== undefined ? { 'taskwarden.evidence': evidence } : {};
    this.#options.onEvent(actionRecord(name, result, transition, file, this.#options.now()));
  }
}

function failure(error: unknown): ActionResult {
  return { outcome: 'failed', message: error instanceof Error ? error.message : String(error) };
}

/** The log record of one action. */
function actionRecord(
  name: string,
  {
    outcome,
    message,
    attributes,
  }: { outcome: ActionOutcome; message: string; attributes?: LogData['attributes'] },
  { name: alert, fingerprint, labels, runs }: AlertTransition,
  file: LogData['attributes'],
  now: number,
): LogData {
  const [run] = runs;
  const failed = outcome !== 'done' && outcome !== 'dry_run';
  return {
    timeMs: now,
    observedTimeMs: now,
    eventName: ACTION_EVENT,
    severityNumber: failed ? 13 : 9,
    severityText: failed ? 'WARN' : 'INFO',
    body: `${name} for ${alert}: ${outcome.replace('_', ' ')}${message === '' ? '' : `, ${message}`}`,
    attributes: {
      'taskwarden.action.name': name,
      'taskwarden.action.outcome': outcome,
      'taskwarden.action.message': message,
      'taskwarden.alert.name': alert,
      'taskwarden.alert.fingerprint': fingerprint,
      ...(run !== undefined && {
        'messaging.system': run.framework,
        'messaging.destination.name': run.queue,
        'messaging.message.id': run.jobId,
      }),
      'task.name': labels.task_name ?? run?.task ?? 'none',
      ...file,
      ...attributes,
    },
    traceId: run?.traceId,
    spanId: run?.spanId,
  };
}
