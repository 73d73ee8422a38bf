import type { MetricDefinition } from './definition.ts';

/** What waits in a queue, as the watcher reads it. */
export const QUEUE_METRICS = {} as const satisfies Record<string, MetricDefinition>;
