import type { MetricName } from '../model/metrics.ts';
import { increase, maxBy, rate, series } from './queries.ts';
import type { PanelSpec, TargetSpec } from './spec.ts';

/** Two Redis instances may have queues of the same name. */
export const ASYNQ_QUEUE = ['redis_instance', 'messaging_destination_name'] as const;
export const ASYNQ_QUEUE_LEGEND = '{{messaging_destination_name}} @ {{redis_instance}}';
export const ASYNQ_TASK = [...ASYNQ_QUEUE, 'task_name'] as const;
export const ASYNQ_TASK_LEGEND = '{{task_name}} / {{messaging_destination_name}} @ {{redis_instance}}';
export const WORKER = ['host_name', 'process_pid'] as const;
export const WORKER_LEGEND = '{{host_name}}:{{process_pid}}';

const ASYNQ = ['messaging_system="asynq"'];

/** The greatest, not the sum: while one watcher takes over from another, both tell the same for a moment. */
export function asynqGauge(
  name: MetricName,
  by: readonly string[],
  legend: string,
  only: readonly string[] = [],
): TargetSpec {
  return { expr: maxBy(by, series(name, [...ASYNQ, ...only])), legend };
}

/** Of a counter, likewise. */
export function asynqRate(
  name: MetricName,
  by: readonly string[],
  legend: string,
  how: 'rate' | 'increase' = 'rate',
): TargetSpec {
  const change = how === 'rate' ? rate(name, ASYNQ) : increase(name, ASYNQ);
  return { expr: maxBy(by, change), legend };
}

export function asynqGraph(
  title: string,
  unit: string,
  description: string,
  targets: readonly TargetSpec[],
  rest: Partial<PanelSpec> = {},
): PanelSpec {
  return { title, unit, description, kind: 'timeseries', targets, ...rest };
}
