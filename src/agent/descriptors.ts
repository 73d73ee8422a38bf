import { GrowthEstimator } from '../attribution/growth.ts';
import type { TaskKey } from '../bridge/protocol.ts';
import type { Registry } from '../store/registry.ts';
import { type Ingest, taskAttributes, taskKeyText } from './ingest.ts';

/** Descriptors that a task must have added before it is named: a pool that fills is smaller. */
const MIN_GROWTH = 20;

/**
 * Which task leaves file descriptors open. Nothing tells of a file that is opened, so the process's number of descriptors is
 * laid against finished runs, as its memory is.
 */
export class Descriptors {
  readonly #registry: Registry;
  readonly #ingest: Ingest;
  readonly #growth = new GrowthEstimator({ minGrowthBytes: MIN_GROWTH });
  #named = new Map<string, TaskKey>();

  constructor(registry: Registry, ingest: Ingest) {
    this.#registry = registry;
    this.#ingest = ingest;
  }

  /** To be called every few seconds, once the process has been read. @param inFlight runs in flight */
  observe(nowMs: number, tasks: Iterable<TaskKey>, inFlight: number): void {
    const count = this.#registry.value('process.unix.file_descriptor.count', {});
    if (count === undefined) return;
    this.#growth.observe({
      usedHeapAfterMajorGc: count,
      completedByTask: this.#ingest.completed,
      inFlight,
      timeMs: nowMs,
    });
    const estimates = this.#growth.estimates();
    const named = new Map<string, TaskKey>();
    for (const task of tasks) {
      const key = taskKeyText(task);
      const estimate = estimates.get(key);
      if (estimate === undefined) continue;
      named.set(key, task);
      this.#registry.set('task.file_descriptors.growth', taskAttributes(task), estimate.bytesPerRun);
      this.#registry.set('task.file_descriptors.growth.lower', taskAttributes(task), estimate.lower);
    }
    for (const [key, task] of this.#named) {
      if (named.has(key)) continue;
      this.#registry.remove('task.file_descriptors.growth', taskAttributes(task));
      this.#registry.remove('task.file_descriptors.growth.lower', taskAttributes(task));
    }
    this.#named = named;
  }
}
