import { GrowthEstimator } from '../attribution/growth.ts';
import { leakLimits } from '../attribution/leak-limits.ts';
import type { TaskKey } from '../bridge/protocol.ts';
import { type Labels, labelsKey } from '../model/labels.ts';
import type { Registry } from '../store/registry.ts';
import { type Ingest, taskAttributes, taskKeyText } from './ingest.ts';

const METRICS = ['task.file_descriptors.growth', 'task.file_descriptors.growth.lower'] as const;

/**
 * Which task leaves file descriptors open. Nothing tells of a file that is opened, so the process's number of descriptors is
 * laid against finished runs, as its memory is.
 */
export class Descriptors {
  readonly #registry: Registry;
  readonly #ingest: Ingest;
  readonly #growth = new GrowthEstimator(leakLimits('descriptors'));
  #told = new Map<string, Labels>();

  constructor(registry: Registry, ingest: Ingest) {
    this.#registry = registry;
    this.#ingest = ingest;
  }

  /** To be called every few seconds, once the process has been read. @param inFlight runs in flight */
  observe(nowMs: number, tasks: Iterable<TaskKey>, inFlight: number): void {
    const count = this.#registry.value('process.unix.file_descriptor.count', {});
    if (count === undefined) return;
    this.#growth.observe({
      level: count,
      completedByTask: this.#ingest.completed,
      inFlight,
      timeMs: nowMs,
    });
    const told = new Map<string, Labels>();
    const estimates = this.#growth.estimates();
    const findings = this.#growth.findings();
    for (const task of tasks) {
      const key = taskKeyText(task);
      const estimate = estimates.get(key);
      if (estimate === undefined) continue;
      const attributes = { ...taskAttributes(task), 'leak.state': findings.get(key)!.state };
      told.set(labelsKey(attributes), attributes);
      this.#registry.set('task.file_descriptors.growth', attributes, estimate.perRun);
      this.#registry.set('task.file_descriptors.growth.lower', attributes, estimate.lower);
    }
    for (const [key, attributes] of this.#told) {
      if (!told.has(key)) for (const metric of METRICS) this.#registry.remove(metric, attributes);
    }
    this.#told = told;
  }
}
