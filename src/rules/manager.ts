import type { ActiveAlert, Notify } from '../model/alert.ts';
import type { Labels } from '../model/labels.ts';
import type { AlertContext } from './alerting.ts';
import { type ActiveSince, GroupRunner, type RulePorts } from './group.ts';
import { type AlertSnapshot, Restored } from './restore.ts';
import type { Compile, Rule, RuleGroup } from './rule.ts';
import type { TemplateEnvironment } from './template.ts';
import { TimeLine } from './time-line.ts';
import type { RuleGroupView } from './view.ts';

export interface RuleManagerOptions extends Omit<RulePorts, 'changed'> {
  readonly groups: readonly RuleGroup[];
  /** Receives every change of state, with a copy of the alert. */
  readonly notify: Notify;
  readonly externalLabels?: Labels;
  /** What `externalURL` gives in templates. */
  readonly externalUrl?: string;
  /** For `query` in templates. */
  readonly compile: Compile;
  /** Interval of groups that name none, ms. */
  readonly defaultIntervalMs?: number;
  /** How long one call may evaluate, ms: groups that it has no time for are put off to the next. Needs `elapsed`. */
  readonly budgetMs?: number;
  /** Longest time between two calls, ms: what is beyond is an outage, in which no alert waited. Needs `elapsed`. */
  readonly outageMs?: number;
}

/** Counts of one call: rules that succeeded and failed, evaluations that came too late to happen, and those put off. */
export interface EvaluationSummary {
  readonly succeeded: number;
  readonly failed: number;
  readonly missed: number;
  readonly deferred: number;
}

export interface RuleManager {
  /**
   * Evaluates the groups that are due at `t`, ms since the Unix epoch, or all of them with `force`, whatever the budget. A group
   * is never evaluated twice for the same moment, and a forced evaluation leaves its schedule alone. Never throws.
   */
  evaluate(t: number, options?: { force?: boolean }): EvaluationSummary;
  /** Evaluates some rules at `t`, before their time: groups and their schedule know nothing of it. Never throws. */
  evaluateOnly(t: number, isMeant: (rule: Rule) => boolean): EvaluationSummary;
  /**
   * Goes on with other groups. A group that is the same as before stays as it is; in one that has changed, rules keep the alerts of
   * the rule of the same name and labels; alerts of rules that are gone are resolved, and their series end.
   */
  reload(groups: readonly RuleGroup[]): void;
  /** Pending and firing alerts. */
  alerts(): ActiveAlert[];
  /** Alerts that were resolved during the last 15 minutes. */
  resolved(): ActiveAlert[];
  /** Every group with its rules, their health and their alerts: a copy of the moment. */
  describe(): RuleGroupView[];
  /** What {@link RuleManager.restore} wants after a restart: plain JSON. */
  snapshot(): AlertSnapshot;
  /**
   * Takes over since when conditions hold, so that a restart does not begin `for` anew; the time in between does not
   * count. Gives the number of alerts taken over: 0 when the snapshot is not one of ours.
   */
  restore(snapshot: unknown): number;
}

const DEFAULT_INTERVAL_MS = 5000;

export function createRuleManager(options: RuleManagerOptions): RuleManager {
  return new Manager(options);
}

class Manager implements RuleManager {
  readonly #options: RuleManagerOptions;
  readonly #ports: RulePorts;
  readonly #context: Omit<AlertContext, 'limit' | 'activeSince'>;
  readonly #timeLine: TimeLine;
  readonly #activeSince: ActiveSince;
  #runners: GroupRunner[] = [];
  /** Series of rules that a reload has removed, to be ended unless another rule makes them. */
  #orphans = new Map<string, Labels>();
  #restored = new Restored([], 0);
  /** Group that the next call begins with. */
  #first = 0;
  #now = 0;

  constructor(options: RuleManagerOptions) {
    const { notify, query, compile } = options;
    this.#options = options;
    this.#timeLine = new TimeLine(options.outageMs ?? Number.POSITIVE_INFINITY);
    this.#ports = {
      ...options,
      changed: ({ alert, previousState }, t) => {
        const { keepFiringSince: _, ...copy } = alert;
        notify({ ...copy, previousState, at: t });
      },
    };
    const now = (): number => this.#now;
    const environment: TemplateEnvironment = {
      get now() {
        return now();
      },
      externalUrl: options.externalUrl ?? 'http://localhost/',
      query: (expr) => query(compile(expr), now()),
    };
    this.#context = { externalLabels: options.externalLabels ?? {}, environment };
    this.#activeSince = (group, rule, labels, t) => this.#restored.activeSince(group, rule, labels, t);
    this.#runners = options.groups.map((group) => this.#runner(group));
  }

  evaluate(t: number, { force = false } = {}): EvaluationSummary {
    const { elapsed = () => 0, budgetMs = Number.POSITIVE_INFINITY } = this.#options;
    const began = elapsed();
    const leapt = this.#passTime(t, began);
    const summary = { succeeded: 0, failed: 0, missed: 0, deferred: 0 };
    const runners = [...this.#runners.slice(this.#first), ...this.#runners.slice(0, this.#first)];
    let next: GroupRunner | undefined;
    let any = false;
    for (const runner of runners) {
      if (!runner.isDue(t, force)) continue;
      if (any && !force && elapsed() - began > budgetMs) {
        next ??= runner;
        runner.putOff();
        summary.deferred += runner.group.rules.length;
        continue;
      }
      any = true;
      const { failed, missed } = runner.run(t, this.#context, this.#activeSince, leapt);
      summary.missed += missed;
      summary.failed += failed;
      summary.succeeded += runner.group.rules.length - failed;
    }
    this.#first = next === undefined ? 0 : this.#runners.indexOf(next);
    this.#endOrphans(t);
    return summary;
  }

  evaluateOnly(t: number, isMeant: (rule: Rule) => boolean): EvaluationSummary {
    this.#passTime(t, this.#options.elapsed?.() ?? 0);
    const summary = { succeeded: 0, failed: 0, missed: 0, deferred: 0 };
    for (const runner of this.#runners) {
      const { succeeded, failed } = runner.runOnly(t, this.#context, this.#activeSince, isMeant);
      summary.succeeded += succeeded;
      summary.failed += failed;
    }
    return summary;
  }

  reload(groups: readonly RuleGroup[]): void {
    const former = new Map(this.#runners.map((runner) => [groupKey(runner.group), runner]));
    this.#runners = groups.map((group) => {
      const key = groupKey(group);
      const known = former.get(key);
      if (known !== undefined && isSameGroup(known.group, group)) {
        former.delete(key);
        return known;
      }
      const runner = this.#runner(group);
      if (known !== undefined) runner.adopt(known);
      return runner;
    });
    for (const runner of former.values())
      for (const [key, labels] of runner.end(this.#now)) this.#orphans.set(key, labels);
    this.#first = 0;
  }

  alerts(): ActiveAlert[] {
    return this.#all().filter((alert) => alert.state !== 'resolved');
  }

  resolved(): ActiveAlert[] {
    return this.#all().filter((alert) => alert.state === 'resolved');
  }

  describe(): RuleGroupView[] {
    return this.#runners.map((runner) => runner.describe());
  }

  snapshot(): AlertSnapshot {
    const alerts = this.alerts().map(({ group, name, labels, activeAt }) => ({
      group,
      rule: name,
      labels: { ...labels },
      activeAt,
    }));
    return { version: 1, at: this.#now, alerts: [...alerts, ...this.#restored.waiting(this.#now)] };
  }

  restore(snapshot: unknown): number {
    this.#restored = Restored.from(snapshot);
    return this.#restored.size;
  }

  #runner(group: RuleGroup): GroupRunner {
    return new GroupRunner(group, this.#options.defaultIntervalMs ?? DEFAULT_INTERVAL_MS, this.#ports);
  }

  #all(): ActiveAlert[] {
    return this.#runners.flatMap((runner) => runner.alerts()).flatMap((rule) => rule.alerts());
  }

  /** Moves to `t`; alerts do not wait in time that nobody saw. True when the clock leapt. */
  #passTime(t: number, elapsed: number): boolean {
    this.#now = t;
    if (this.#options.elapsed === undefined) return false;
    const { leap, unseen } = this.#timeLine.at(t, elapsed);
    if (unseen !== 0) for (const runner of this.#runners) runner.shift(unseen);
    return leap !== 0;
  }

  #endOrphans(t: number): void {
    const orphans = this.#orphans;
    this.#orphans = new Map();
    for (const [key, labels] of orphans) {
      if (this.#runners.some((runner) => runner.makes(key))) continue;
      try {
        this.#ports.stale(t, labels);
      } catch (error) {
        this.#ports.onError(error, { group: '', rule: labels.__name__ ?? '', step: 'append' });
      }
    }
  }
}

/** Names of groups need not be unique across files. */
function groupKey({ file, name }: RuleGroup): string {
  return JSON.stringify([file, name]);
}

function isSameGroup(a: RuleGroup, b: RuleGroup): boolean {
  return groupText(a) === groupText(b);
}

/** A group without what changes with every reading of its file: parsed expressions, and positions. */
function groupText({ rules, ...group }: RuleGroup): string {
  const texts = rules.map((rule) => {
    const { expression: _, position: __, ...rest } = rule;
    if (rest.kind === 'record') return rest;
    const { labels, annotations } = rest;
    const plain = (templates: typeof labels) => templates.map(([name, { text }]) => [name, text]);
    return { ...rest, labels: plain(labels), annotations: plain(annotations) };
  });
  return JSON.stringify({ ...group, rules: texts });
}
