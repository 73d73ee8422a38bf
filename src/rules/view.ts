import type { ActiveAlert } from '../model/alert.ts';
import type { Labels } from '../model/labels.ts';
import type { Rule, RuleGroup } from './rule.ts';

/** A rule group as a reader sees it: a copy of the moment. Times are ms since the Unix epoch. */
export interface RuleGroupView {
  readonly name: string;
  readonly file: string;
  readonly intervalMs: number;
  /** Most alerts or series that one rule may give; 0 = no limit. */
  readonly limit: number;
  readonly queryOffsetMs: number;
  /** Undefined before the first evaluation. */
  readonly lastEvaluation: number | undefined;
  /** How long the last evaluation took, s. */
  readonly evaluationTime: number;
  readonly rules: readonly RuleView[];
}

export interface RuleView {
  readonly kind: Rule['kind'];
  readonly name: string;
  /** The expression as written. */
  readonly query: string;
  /** `for` and `keep_firing_for` in ms; 0 for recording rules. */
  readonly durationMs: number;
  readonly keepFiringForMs: number;
  /** Labels and annotations as written, the group's labels included. */
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly health: 'ok' | 'err' | 'unknown';
  /** Message of what failed in the last evaluation; empty where nothing did. */
  readonly lastError: string;
  readonly lastEvaluation: number | undefined;
  /** How long the last evaluation took, s. */
  readonly evaluationTime: number;
  /** The gravest state of its alerts; unknown before the first evaluation. Recording rules are inactive. */
  readonly state: 'inactive' | 'pending' | 'firing' | 'unknown';
  /** Pending and firing alerts. */
  readonly alerts: readonly ActiveAlert[];
}

/** How the last evaluation of a rule or a group went. */
export interface Outcome {
  error: string;
  /** ms since the Unix epoch; undefined before the first evaluation. */
  at: number | undefined;
  /** s */
  took: number;
}

export function ruleView(rule: Rule, last: Outcome, alerts: readonly ActiveAlert[]): RuleView {
  const isAlert = rule.kind === 'alert';
  const texts = (templates: readonly (readonly [string, { readonly text: string }])[]): Labels =>
    Object.fromEntries(templates.map(([name, { text }]) => [name, text]));
  return {
    kind: rule.kind,
    name: rule.name,
    query: rule.expr,
    durationMs: isAlert ? rule.holdMs : 0,
    keepFiringForMs: isAlert ? rule.keepFiringMs : 0,
    labels: isAlert ? texts(rule.labels) : rule.labels,
    annotations: isAlert ? texts(rule.annotations) : {},
    health: last.at === undefined ? 'unknown' : last.error === '' ? 'ok' : 'err',
    lastError: last.error,
    lastEvaluation: last.at,
    evaluationTime: last.took,
    state: isAlert ? stateOf(last, alerts) : 'inactive',
    alerts: alerts.map((alert) => ({ ...alert })),
  };
}

export function groupView(
  group: RuleGroup,
  intervalMs: number,
  last: Outcome,
  rules: readonly RuleView[],
): RuleGroupView {
  const { name, file, limit, queryOffsetMs } = group;
  const { at: lastEvaluation, took: evaluationTime } = last;
  return { name, file, intervalMs, limit, queryOffsetMs, lastEvaluation, evaluationTime, rules };
}

function stateOf(last: Outcome, alerts: readonly ActiveAlert[]): RuleView['state'] {
  if (last.at === undefined) return 'unknown';
  if (alerts.some(({ state }) => state === 'firing')) return 'firing';
  return alerts.length > 0 ? 'pending' : 'inactive';
}
