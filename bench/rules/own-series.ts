import type { Labels } from '../../src/model/labels.ts';
import { METRICS, type MetricDefinition } from '../../src/model/metrics.ts';
import { prometheusLabel, prometheusName } from '../../src/model/prometheus-name.ts';
import { STEP_MS, type SyntheticSeries } from './series.ts';

const TASKS_PER_QUEUE = 5;
/** Values of attributes that rules ask for; others have one that nobody asks for. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  'task.outcome': ['success', 'failure'],
  'task.suspicion': ['exclusive', 'shared'],
  'task.retry': ['false', 'true'],
  'task.dependency.outcome': ['success', 'server_error'],
  'network.io.direction': ['receive', 'transmit'],
  'queue.state': ['ready', 'active', 'dead', 'retry'],
  'queue.poll.outcome': ['ok'],
  'circuit_breaker.state': ['open', 'closed'],
  outcome: ['success', 'failure'],
};

/** Gauges that are not near 0 where all is well. */
const HIGH = /limit|workers|capacity|port|successful|uptime/;
/** Counters that do not grow then. */
const BAD = /dropped|errors|failures|oom|exceeded|crash|duplicates|outliers|folded|openings|missed/;

/** Series of every metric of the table for so many tasks of one worker that is well: gauges are low, counters grow slowly. */
export function ownSeries(tasks: number): SyntheticSeries[] {
  return Object.entries(METRICS).flatMap(([name, metric]) => seriesOf(name, metric, tasks));
}

function seriesOf(name: string, definition: MetricDefinition, tasks: number): SyntheticSeries[] {
  const { kind, unit, buckets = [] } = definition;
  const metric = prometheusName(name, unit, kind);
  return labelsOf(definition, tasks).flatMap((labels, at): SyntheticSeries[] => {
    const pace = BAD.test(metric) || Object.values(labels).includes('failure') ? 0 : 0.01 + (at % 7) / 100;
    const count = (seconds: number): number => Math.floor((seconds % 1e6) * pace);
    const one = (suffix: string, more: Labels, of: (seconds: number) => number): SyntheticSeries => ({
      labels: { __name__: metric + suffix, ...labels, ...more },
      at: of,
    });
    if (kind === 'counter') return [one('', {}, count)];
    if (kind !== 'histogram')
      return [one('', {}, (seconds) => level(metric) + (((seconds * 1000) / STEP_MS + at) % 5) / 100)];
    const bounds = [...buckets.map(String), '+Inf'];
    return [
      ...bounds.map((le, index) => one('_bucket', { le }, (s) => count(s) * Math.min(1, (index + 1) / 4))),
      one('_sum', {}, count),
      one('_count', {}, count),
    ];
  });
}

function level(metric: string): number {
  return HIGH.test(metric) ? 10 : -0.05;
}

function labelsOf({ attributes, optional = [] }: MetricDefinition, tasks: number): Labels[] {
  const target = { job: 'worker', instance: 'w1' };
  const queue = (task: number): string => `queue-${Math.floor(task / TASKS_PER_QUEUE)}`;
  const names = Array.from({ length: tasks }, (_, task) => task);
  const places: Labels[] = attributes.includes('task.name')
    ? names.map((task) => ({ task_name: `task-${task}`, messaging_destination_name: queue(task) }))
    : attributes.includes('messaging.destination.name')
      ? [...new Set(names.map(queue))].map((name) => ({ messaging_destination_name: name }))
      : [{}];
  let all = places.map((labels) => ({ ...target, ...labels }));
  for (const attribute of attributes) {
    const label = prometheusLabel(attribute);
    if (all[0] === undefined || label in all[0] || optional.includes(attribute)) continue;
    all = all.flatMap((labels) =>
      (VALUES[attribute] ?? ['a']).map((value) => ({ ...labels, [label]: value })),
    );
  }
  return all;
}
