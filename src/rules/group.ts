import type { RunReference } from '../model/alert.ts';
import { type Labels, labelsKey } from '../model/labels.ts';
import type { Append, Sample } from '../model/queryable.ts';
import { type AlertContext, type Change, RuleAlerts } from './alerting.ts';
import { record } from './recording.ts';
import type { AlertRule, Expression, RecordingRule, RuleGroup } from './rule.ts';
import { groupView, type Outcome, type RuleGroupView, ruleView } from './view.ts';

/** Where the results of rules go and what they are made of. */
export interface RulePorts {
  /** An instant query at `t`, ms; a scalar result is one sample without labels. @throws what is wrong with it */
  readonly query: (expression: Expression, t: number) => readonly Sample[];
  readonly append: Append;
  /** Ends a series at `t`, ms, that a rule made before and does no longer. */
  readonly stale: (t: number, labels: Labels) => void;
  readonly changed: (change: Change, t: number) => void;
  readonly onError: (error: unknown, where: RuleFailure) => void;
  /** Runs that an alert with these labels concerns, active ones first. */
  readonly runsFor: (labels: Labels) => readonly RunReference[];
  /** A clock that is never set, ms, for how long evaluations take; without one they take no time. */
  readonly elapsed?: () => number;
}

export interface RuleFailure {
  readonly group: string;
  readonly rule: string;
  /** What failed: the expression, the handing over of the result, the search for runs, or a receiver of the alert. */
  readonly step: 'evaluate' | 'append' | 'runs' | 'notify';
}

type RuleState = { readonly series: Map<string, Labels>; readonly last: Outcome } & (
  | { readonly rule: RecordingRule; readonly alerts: undefined }
  | { readonly rule: AlertRule; readonly alerts: RuleAlerts }
);

/** The rules of one group, evaluated one after the other, so that a rule sees what those before it made. */
export class GroupRunner {
  readonly group: RuleGroup;
  readonly intervalMs: number;
  readonly #ports: RulePorts;
  readonly #rules: RuleState[];
  #last: number | undefined;
  #next: number | undefined;
  readonly #outcome: Outcome = { error: '', at: undefined, took: 0 };

  constructor(group: RuleGroup, defaultIntervalMs: number, ports: RulePorts) {
    this.group = group;
    this.intervalMs = group.intervalMs ?? defaultIntervalMs;
    this.#ports = ports;
    this.#rules = group.rules.map((rule) => {
      const series = new Map<string, Labels>();
      const last: Outcome = { error: '', at: undefined, took: 0 };
      return rule.kind === 'record'
        ? { rule, series, last, alerts: undefined }
        : { rule, series, last, alerts: new RuleAlerts(rule, group.name) };
    });
  }

  alerts(): RuleAlerts[] {
    return this.#rules.flatMap(({ alerts }) => alerts ?? []);
  }

  describe(): RuleGroupView {
    const rules = this.#rules.map(({ rule, last, alerts }) => {
      const active = alerts?.alerts().filter(({ state }) => state !== 'resolved') ?? [];
      return ruleView(rule, last, active);
    });
    return groupView(this.group, this.intervalMs, this.#outcome, rules);
  }

  /**
   * Whether the group is to be evaluated at `t`, and how many intervals have passed unused before it. Ticks may come a
   * tenth of the interval early. Clocks may step back: then the group starts afresh.
   */
  due(t: number, force: boolean): { due: boolean; missed: number } {
    if (this.#last !== undefined && t <= this.#last && this.#last - t <= this.intervalMs)
      return { due: false, missed: 0 };
    const steppedBack = this.#last !== undefined && t < this.#last;
    if (this.#next === undefined || steppedBack) this.#next = t;
    const late = t - this.#next;
    if (late < -this.intervalMs / 10) return { due: force, missed: 0 };
    const missed = Math.max(0, Math.floor(late / this.intervalMs));
    this.#next += (missed + 1) * this.intervalMs;
    return { due: true, missed };
  }

  /** Evaluates every rule at `t`; gives how many failed. */
  run(t: number, context: Omit<AlertContext, 'limit' | 'activeSince'>, activeSince: ActiveSince): number {
    const { elapsed = () => 0 } = this.#ports;
    this.#last = t;
    let failed = 0;
    const began = elapsed();
    let before = began;
    for (const state of this.#rules) {
      state.last.error = '';
      if (!this.#evaluate(state, t, context, activeSince)) failed++;
      const after = elapsed();
      state.last.at = t;
      state.last.took = (after - before) / 1000;
      before = after;
    }
    this.#outcome.at = t;
    this.#outcome.took = (before - began) / 1000;
    return failed;
  }

  #evaluate(
    state: RuleState,
    t: number,
    context: Omit<AlertContext, 'limit' | 'activeSince'>,
    activeSince: ActiveSince,
  ): boolean {
    const { limit, queryOffsetMs } = this.group;
    let samples: readonly Sample[];
    let exceeded: Error | undefined;
    try {
      const result = this.#ports.query(state.rule.expression, t - queryOffsetMs);
      if (state.alerts === undefined) samples = record(state.rule, result, limit);
      else {
        const { rule } = state;
        const since = (labels: Labels) => activeSince(this.group, rule, labels, t);
        const update = state.alerts.update(t, result, { ...context, limit, activeSince: since });
        exceeded = update.exceeded;
        for (const change of update.changes) this.#changed(state, change, t);
        samples = state.alerts.samples();
      }
    } catch (error) {
      this.#failed(error, state, 'evaluate');
      return false;
    }
    if (exceeded !== undefined) this.#failed(exceeded, state, 'evaluate');
    return this.#write(state, t, samples) && exceeded === undefined;
  }

  #changed(state: RuleState, change: Change, t: number): void {
    const { alert } = change;
    try {
      if (alert.state !== 'resolved') alert.runs = this.#ports.runsFor(alert.labels);
    } catch (error) {
      this.#failed(error, state, 'runs');
    }
    try {
      this.#ports.changed(change, t);
    } catch (error) {
      this.#failed(error, state, 'notify');
    }
  }

  /** Writes at `t` itself whatever the query's offset, unlike Prometheus: the store only goes forward. */
  #write(state: RuleState, t: number, samples: readonly Sample[]): boolean {
    const made = new Map(samples.map(({ labels }) => [labelsKey(labels), labels]));
    try {
      this.#ports.append(t, samples);
      for (const [key, labels] of state.series) if (!made.has(key)) this.#ports.stale(t, labels);
    } catch (error) {
      this.#failed(error, state, 'append');
      return false;
    }
    state.series.clear();
    for (const [key, labels] of made) state.series.set(key, labels);
    return true;
  }

  #failed(error: unknown, state: RuleState, step: RuleFailure['step']): void {
    if (step === 'evaluate' || step === 'append')
      state.last.error = error instanceof Error ? error.message : String(error);
    this.#ports.onError(error, { group: this.group.name, rule: state.rule.name, step });
  }
}

export type ActiveSince = (
  group: RuleGroup,
  rule: AlertRule,
  labels: Labels,
  t: number,
) => number | undefined;
