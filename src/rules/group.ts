import type { RunReference } from '../model/alert.ts';
import { keyOf, type Labels } from '../model/labels.ts';
import type { Append, Sample } from '../model/queryable.ts';
import { type AlertContext, type Change, RuleAlerts } from './alerting.ts';
import { Recorder } from './recording.ts';
import type { AlertRule, Expression, RecordingRule, Rule, RuleGroup } from './rule.ts';
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
  /** Runs that an alert of the rule with these labels concerns, active ones first. */
  readonly runsFor: (labels: Labels, rule: Rule) => readonly RunReference[];
  /** A clock that is never set, ms, for how long evaluations take; without one they take no time. */
  readonly elapsed?: () => number;
}

export interface RuleFailure {
  readonly group: string;
  readonly rule: string;
  /** What failed: the expression, the handing over of the result, the search for runs, or a receiver of the alert. */
  readonly step: 'evaluate' | 'append' | 'runs' | 'notify';
}

type RuleState = { series: Map<string, Labels>; readonly last: Outcome } & (
  | { readonly rule: RecordingRule; readonly recorder: Recorder; readonly alerts: undefined }
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
  #putOff = false;
  readonly #outcome: Outcome = { error: '', at: undefined, took: 0 };

  constructor(group: RuleGroup, defaultIntervalMs: number, ports: RulePorts) {
    this.group = group;
    this.intervalMs = group.intervalMs ?? defaultIntervalMs;
    this.#ports = ports;
    this.#rules = group.rules.map((rule) => {
      const series = new Map<string, Labels>();
      const last: Outcome = { error: '', at: undefined, took: 0 };
      return rule.kind === 'record'
        ? { rule, series, last, recorder: new Recorder(rule), alerts: undefined }
        : { rule, series, last, alerts: new RuleAlerts(rule, group.name, this.intervalMs) };
    });
  }

  /**
   * Takes over, from the same group as its file had it before, the rules of the same name and labels: their alerts, their series and
   * how their last evaluation went (source: prometheus/rules/group.go, CopyState). What is left there is to be ended.
   */
  adopt(former: GroupRunner): void {
    if (this.intervalMs === former.intervalMs) this.#next = former.#next;
    this.#last = former.#last;
    Object.assign(this.#outcome, former.#outcome);
    for (const state of this.#rules) {
      const key = ruleKey(state.rule);
      const at = former.#rules.findIndex(({ rule }) => ruleKey(rule) === key);
      const [old] = at < 0 ? [] : former.#rules.splice(at, 1);
      if (old === undefined) continue;
      Object.assign(state.last, old.last);
      for (const [name, labels] of old.series) state.series.set(name, labels);
      if (old.alerts !== undefined) state.alerts?.adopt(old.alerts);
    }
  }

  /** Resolves all alerts at `t`, as the group is gone, and gives the series that nobody makes any more. */
  end(t: number): Map<string, Labels> {
    const series = new Map<string, Labels>();
    for (const state of this.#rules.splice(0)) {
      for (const change of state.alerts?.end(t) ?? []) this.#changed(state, change, t);
      for (const [key, labels] of state.series) series.set(key, labels);
    }
    return series;
  }

  /** Whether its rules make a series now. */
  makes(key: string): boolean {
    return this.#rules.some(({ series }) => series.has(key));
  }

  /** Moves what is counted by time, see {@link RuleAlerts.shift}. */
  shift(ms: number): void {
    for (const { alerts } of this.#rules) alerts?.shift(ms);
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
   * Whether the group is to be evaluated at `t`: its interval has passed, or it is forced or was put off. Ticks may come a tenth of the
   * interval early. Clocks may step back: then the group starts afresh.
   */
  isDue(t: number, force: boolean): boolean {
    if (this.#last !== undefined && t <= this.#last && this.#last - t <= this.intervalMs) return false;
    return force || this.#putOff || this.#late(t) >= -this.intervalMs / 10;
  }

  /** There was no time for it now: it is due whenever it is asked next. */
  putOff(): void {
    this.#putOff = true;
  }

  /**
   * Evaluates every rule at `t`. Intervals that passed unused before it are counted, unless they passed in a leap of the clock; an
   * evaluation before its time leaves the schedule alone.
   */
  run(
    t: number,
    context: Omit<AlertContext, 'limit' | 'activeSince'>,
    activeSince: ActiveSince,
    leapt: boolean,
  ): { failed: number; missed: number } {
    const late = this.#late(t);
    const missed = leapt ? 0 : Math.max(0, Math.floor(late / this.intervalMs));
    if (late >= -this.intervalMs / 10) this.#next = (leapt ? t : t - late) + (missed + 1) * this.intervalMs;
    this.#putOff = false;
    this.#last = t;
    const { failed, took } = this.runOnly(t, context, activeSince, () => true);
    this.#outcome.at = t;
    this.#outcome.took = took;
    return { failed, missed: missed * this.#rules.length };
  }

  /** Evaluates some of the rules at `t`, which says nothing of the group. `took`: how long, s. */
  runOnly(
    t: number,
    context: Omit<AlertContext, 'limit' | 'activeSince'>,
    activeSince: ActiveSince,
    isMeant: (rule: Rule) => boolean,
  ): { succeeded: number; failed: number; took: number } {
    const { elapsed = () => 0 } = this.#ports;
    const counts = { succeeded: 0, failed: 0 };
    const began = elapsed();
    let before = began;
    for (const state of this.#rules) {
      if (!isMeant(state.rule)) continue;
      state.last.error = '';
      counts[this.#evaluate(state, t, context, activeSince) ? 'succeeded' : 'failed']++;
      const after = elapsed();
      state.last.at = t;
      state.last.took = (after - before) / 1000;
      before = after;
    }
    return { ...counts, took: (before - began) / 1000 };
  }

  /** How far `t` is behind the time of the next evaluation, ms; negative before it. */
  #late(t: number): number {
    const steppedBack = this.#last !== undefined && t < this.#last;
    return this.#next === undefined || steppedBack ? 0 : t - this.#next;
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
      if (state.alerts === undefined) samples = state.recorder.record(result, limit);
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
      if (alert.state !== 'resolved') alert.runs = this.#ports.runsFor(alert.labels, state.rule);
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
    const { series } = state;
    if (samples.length === 0 && series.size === 0) return true;
    const same = samples.length === series.size && samples.every(({ labels }) => series.has(keyOf(labels)));
    const made = same ? series : new Map(samples.map(({ labels }) => [keyOf(labels), labels]));
    try {
      this.#ports.append(t, samples);
      for (const [key, labels] of series) if (!made.has(key)) this.#ports.stale(t, labels);
    } catch (error) {
      this.#failed(error, state, 'append');
      return false;
    }
    state.series = made;
    return true;
  }

  #failed(error: unknown, state: RuleState, step: RuleFailure['step']): void {
    if (step === 'evaluate' || step === 'append')
      state.last.error = error instanceof Error ? error.message : String(error);
    this.#ports.onError(error, { group: this.group.name, rule: state.rule.name, step });
  }
}

/** What makes a rule the same one after its file has changed. */
function ruleKey(rule: Rule): string {
  const labels = rule.kind === 'alert' ? rule.labels.map(([name, { text }]) => [name, text]) : rule.labels;
  return JSON.stringify([rule.kind, rule.name, labels]);
}

export type ActiveSince = (
  group: RuleGroup,
  rule: AlertRule,
  labels: Labels,
  t: number,
) => number | undefined;
