import type { AlertTransition, RunReference } from '../../src/model/alert.ts';

export const AT = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

export const RUN: RunReference = {
  queue: 'reports',
  task: 'render',
  framework: 'bullmq',
  jobId: '17',
  attempt: 2,
  traceId: '5b8efff798038103d269b633813fc60c',
  spanId: 'eee19b7ec3c1b174',
  ageMs: 1234.5678,
  active: true,
};

/** A firing alert about the task `render`, changed at will. */
export function transition(changes: Partial<AlertTransition> = {}): AlertTransition {
  return {
    name: 'TaskBlocksEventLoop',
    group: 'tasks',
    intervalMs: 5000,
    expr: 'x > 1',
    state: 'firing',
    previousState: 'inactive',
    labels: {
      alertname: 'TaskBlocksEventLoop',
      severity: 'critical',
      messaging_system: 'bullmq',
      messaging_destination_name: 'reports',
      task_name: 'render',
    },
    annotations: { summary: 'render blocks', runbook_url: 'https://host/page' },
    value: 1.5,
    fingerprint: '00000000000000aa',
    activeAt: AT - 1000,
    firedAt: AT,
    resolvedAt: undefined,
    at: AT,
    runs: [],
    ...changes,
  };
}
