import { SIGNALS } from '../config/otel.ts';
import type { Registry } from '../store/registry.ts';

const DROP_REASONS = ['queue_full', 'rejected', 'shutdown'];

/** CPU time of the calling thread, ms. Node.js before 22.19 cannot tell it: unknown, not 0. */
export function ownCpuMs(): number | undefined {
  const usage = process.threadCpuUsage?.();
  return usage && (usage.user + usage.system) / 1000;
}

export function countOwnCpu(registry: Registry): void {
  const ms = ownCpuMs();
  if (ms !== undefined) registry.set('taskwarden.agent.cpu.time', {}, ms / 1000);
}

/** Counters that an alert watches begin at 0: a first increment is one to `increase` only then. */
export function beginAtZero(registry: Registry): void {
  registry.add('taskwarden.series.folded', {}, 0);
  for (const signal of SIGNALS) {
    registry.add('taskwarden.export.failures', { signal }, 0);
    for (const reason of DROP_REASONS) registry.add('taskwarden.telemetry.dropped', { signal, reason }, 0);
  }
}
