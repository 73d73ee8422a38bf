import type { ActiveRun } from '../bridge/inbox.ts';
import type { TaskKey } from '../bridge/protocol.ts';
import type { Registry } from '../store/registry.ts';
import { taskAttributes } from './ingest.ts';

/** Runs in flight, by task: how many, and the age of the oldest. */
export function gaugeActive(
  registry: Registry,
  tasks: Iterable<TaskKey>,
  active: readonly ActiveRun[],
): void {
  const byTask = new Map<TaskKey, { count: number; oldestMs: number }>();
  for (const task of tasks) byTask.set(task, { count: 0, oldestMs: 0 });
  for (const run of active) {
    const entry = byTask.get(run.task);
    if (entry === undefined) continue;
    entry.count++;
    entry.oldestMs = Math.max(entry.oldestMs, run.ageMs);
  }
  for (const [task, { count, oldestMs }] of byTask) {
    registry.set('task.active', taskAttributes(task), count);
    registry.set('task.active.oldest', taskAttributes(task), oldestMs / 1000);
  }
}
