import { SIGNALS } from '../config/otel.ts';
import type { Registry } from '../store/registry.ts';

const DROP_REASONS = ['queue_full', 'rejected', 'shutdown'];

/** Node.js before 22.19 cannot tell a thread's CPU time: unknown, not 0. */
export function countOwnCpu(registry: Registry): void {
  const usage = process.threadCpuUsage?.();
  if (usage !== undefined) registry.set('taskwarden.agent.cpu.time', {}, (usage.user + usage.system) / 1e6);
}

/** Counters that an alert watches begin at 0: a first increment is one to `increase` only then. */
export function beginAtZero(registry: Registry): void {
  for (const signal of SIGNALS) {
    registry.add('taskwarden.export.failures', { signal }, 0);
    for (const reason of DROP_REASONS) registry.add('taskwarden.telemetry.dropped', { signal, reason }, 0);
  }
}
