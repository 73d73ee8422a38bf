import { AGENT_METRICS } from './metrics/agent.ts';
import { CRASH_METRICS } from './metrics/crashes.ts';
import type { MetricDefinition } from './metrics/definition.ts';
import { MACHINE_METRICS } from './metrics/machine.ts';
import { MEMORY_METRICS } from './metrics/memory.ts';
import { NETWORK_METRICS } from './metrics/network.ts';
import { QUEUE_WORKER_METRICS } from './metrics/queue-workers.ts';
import { QUEUE_METRICS } from './metrics/queues.ts';
import { TASK_METRICS } from './metrics/tasks.ts';
import { WORKER_METRICS } from './metrics/worker.ts';

export type { MetricDefinition } from './metrics/definition.ts';

/**
 * THE table of every metric. docs/metrics.md is generated from it; rules and dashboards are checked against it.
 * Names follow the OpenTelemetry semantic conventions where one exists (`source: 'semconv'`); our own metrics
 * live under `task.`, `queue.` and `taskwarden.`.
 */
const table = {
  ...TASK_METRICS,
  ...NETWORK_METRICS,
  ...QUEUE_METRICS,
  ...QUEUE_WORKER_METRICS,
  ...WORKER_METRICS,
  ...CRASH_METRICS,
  ...MEMORY_METRICS,
  ...MACHINE_METRICS,
  ...AGENT_METRICS,
};

export type MetricName = keyof typeof table;
export const METRICS: Readonly<Record<MetricName, MetricDefinition>> = table;

/**
 * What the rule engine makes, in Prometheus's own names. It appears in the store and, as gauges with an empty unit, in
 * the exported metrics.
 */
export const ALERT_SERIES = ['ALERTS', 'ALERTS_FOR_STATE'] as const;
