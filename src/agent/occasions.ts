import { METRICS, type MetricName } from '../model/metrics.ts';
import { prometheusName } from '../model/prometheus-name.ts';
import type { Expression } from '../promql/promql.ts';
import type { Rule, RuleGroup } from '../rules/rule.ts';

/** Metrics that are written the moment they change, by what changes them. */
export const URGENT = {
  block: ['task.event_loop.blocked'],
  memory: [
    'taskwarden.memory.utilization',
    'taskwarden.memory.limit',
    'taskwarden.memory.time_left',
    'taskwarden.memory.growth',
    'task.memory.suspicion',
  ],
} as const satisfies Record<string, readonly MetricName[]>;

export type UrgentOccasion = keyof typeof URGENT;

/** Why rules are evaluated: a step of time, with the groups that are due; a begin or an end, with all; or what cannot wait. */
export type Occasion = 'step' | 'all' | UrgentOccasion;

export function isUrgent(occasion: Occasion): occasion is UrgentOccasion {
  return occasion in URGENT;
}

/** The rules that look at some metrics, or at what other rules record of them. */
export class Concerned {
  readonly #expressions: ReadonlySet<string>;

  constructor(groups: readonly RuleGroup[], metrics: readonly MetricName[]) {
    const names = new Set(
      metrics.map((name) => prometheusName(name, METRICS[name].unit, METRICS[name].kind)),
    );
    const expressions = new Set<string>();
    const rules = groups.flatMap((group) => group.rules);
    let known: number;
    do {
      known = names.size;
      for (const rule of rules) {
        if (!(rule.expression as Expression).metricNames().some((name) => names.has(name))) continue;
        expressions.add(rule.expr);
        if (rule.kind === 'record') names.add(rule.name);
      }
    } while (names.size > known);
    this.#expressions = expressions;
  }

  readonly has = (rule: Rule): boolean => this.#expressions.has(rule.expr);
}
