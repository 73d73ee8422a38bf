import { METRICS, type MetricName } from '../model/metrics.ts';
import { prometheusName } from '../model/prometheus-name.ts';
import type { Expression } from '../promql/promql.ts';
import { groupKey, type RuleGroup } from '../rules/rule.ts';

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

/** Why rules are evaluated: a step of time, with the groups that are due; an end or a beginning, with all; or what cannot wait. */
export type Occasion = 'step' | 'all' | keyof typeof URGENT;

/** The groups that look at some metrics, or at what rules record of them. */
export class Concerned {
  readonly #keys: ReadonlySet<string>;

  constructor(groups: readonly RuleGroup[], metrics: readonly MetricName[]) {
    const names = new Set(
      metrics.map((name) => prometheusName(name, METRICS[name].unit, METRICS[name].kind)),
    );
    const rules = groups.flatMap((group) => group.rules.map((rule) => ({ rule, group })));
    const keys = new Set<string>();
    let before: number;
    do {
      before = names.size;
      for (const { rule, group } of rules) {
        if (!(rule.expression as Expression).metricNames().some((name) => names.has(name))) continue;
        keys.add(groupKey(group));
        if (rule.kind === 'record') names.add(rule.name);
      }
    } while (names.size > before);
    this.#keys = keys;
  }

  has(group: RuleGroup): boolean {
    return this.#keys.has(groupKey(group));
  }
}
