import type { Config } from '../config/config.ts';

/** What a task that fails and is tried again has in the store, of which 96 are those of its six histograms. */
const SERIES_OF_TASK = 116;
/** Of one metric; those by server or kind of error have more, and need room that tasks of one kind leave. */
const SERIES_OF_TASK_AND_METRIC = 10;
/** OpenTelemetry's default for a metric. */
const LEAST_PER_METRIC = 2000;
/** A process that does nothing but watch knows the tasks of others. */
const SIDECAR_PER_METRIC = 100_000;

export function maxSeriesPerMetric({ maxTasks }: Pick<Config, 'maxTasks'>, sidecar: boolean): number {
  if (sidecar) return SIDECAR_PER_METRIC;
  return Math.max(LEAST_PER_METRIC, SERIES_OF_TASK_AND_METRIC * maxTasks);
}

/** What to say of a store that cannot hold as many tasks as there may be. */
export function storeWarning({ maxTasks, store }: Pick<Config, 'maxTasks' | 'store'>): string | undefined {
  const tasks = Math.floor(store.maxSeries / SERIES_OF_TASK);
  if (tasks >= maxTasks) return undefined;
  return `store.max_series (${store.maxSeries}) holds the series of some ${tasks} tasks, max_tasks is ${maxTasks}: rules do not see what is beyond`;
}
