import { METRICS, type MetricName } from '../model/metrics.ts';
import { prometheusLabel, prometheusName } from '../model/prometheus-name.ts';

/** PromQL for panels, written in terms of the metric table so that a name cannot be misspelt. */

/** How tasks and queues are told apart in a legend and in `by (...)`. */
export const TASK = ['messaging_destination_name', 'task_name'] as const;
export const TASK_LEGEND = '{{messaging_destination_name}} / {{task_name}}';
export const QUEUE = ['messaging_destination_name'] as const;
export const QUEUE_LEGEND = '{{messaging_destination_name}}';

/** Which dashboard variable narrows which label. */
const VARIABLES: Readonly<Record<string, string>> = {
  'messaging.destination.name': 'queue',
  'task.name': 'task',
};

/**
 * A selector of one metric narrowed by the dashboard's variables. `only` adds matchers such as `task_outcome="failure"`.
 * Histograms need a `part`.
 */
export function series(
  name: MetricName,
  only: readonly string[] = [],
  part?: 'bucket' | 'sum' | 'count',
): string {
  const { unit, kind, attributes } = METRICS[name];
  const full = prometheusName(name, unit, kind) + (part === undefined ? '' : `_${part}`);
  const narrowed = attributes
    .filter((attribute) => attribute in VARIABLES)
    .map((attribute) => `${prometheusLabel(attribute)}=~"$${VARIABLES[attribute]}"`);
  return `${full}{${['job=~"$job"', 'instance=~"$instance"', ...narrowed, ...only].join(', ')}}`;
}

/** Per-second increase of a counter. */
export function rate(
  name: MetricName,
  only: readonly string[] = [],
  part?: 'bucket' | 'sum' | 'count',
): string {
  return `rate(${series(name, only, part)}[$__rate_interval])`;
}

/** Increase of a counter over the rate interval. */
export function increase(name: MetricName, only: readonly string[] = []): string {
  return `increase(${series(name, only)}[$__rate_interval])`;
}

export function sumBy(labels: readonly string[], expr: string): string {
  return labels.length === 0 ? `sum(${expr})` : `sum by (${labels.join(', ')}) (${expr})`;
}

export function maxBy(labels: readonly string[], expr: string): string {
  return labels.length === 0 ? `max(${expr})` : `max by (${labels.join(', ')}) (${expr})`;
}

/** Quantile of a histogram over the rate interval; 1 gives the bound of the highest bucket in use. */
export function quantile(
  q: number,
  name: MetricName,
  labels: readonly string[],
  only: readonly string[] = [],
): string {
  return `histogram_quantile(${q}, ${sumBy([...labels, 'le'], rate(name, only, 'bucket'))})`;
}

/**
 * Firing alerts of the jobs that run Taskwarden: a Prometheus shared with others holds their alerts too. An alert without
 * instance or task is about all of them, so it matches every choice.
 */
export function firing(...narrow: ('queue' | 'task')[]): string {
  const matchers = ['alertstate="firing"', 'job=~"$job"', 'instance=~"$instance|"'];
  if (narrow.includes('queue')) matchers.push('messaging_destination_name=~"$queue|"');
  if (narrow.includes('task')) matchers.push('task_name=~"$task|"');
  return `ALERTS{${matchers.join(', ')}} and on (job) ${series('taskwarden.series')}`;
}
