import { PayloadHistory } from '../attribution/payload.ts';
import type { RunRecord } from '../bridge/inbox.ts';
import type { TaskKey } from '../bridge/protocol.ts';
import type { Registry } from '../store/registry.ts';
import { taskAttributes } from './ingest.ts';

interface Known {
  /** Of all runs that are measured exactly, with the sizes of all; and of those measured up to their first await. */
  readonly exact: PayloadHistory;
  readonly sync: PayloadHistory;
  changed: boolean;
}

/** Runs measured up to their first await that one exactly measured is worth. */
const WORTH = 4;

/** How each task's CPU time grows with its payload, and which payloads are out of the ordinary. */
export class Payloads {
  readonly #registry: Registry;
  readonly #known = new Map<TaskKey, Known>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  run({ task, payloadBytes, cpuMs, cpuQuality }: RunRecord): void {
    if (payloadBytes === undefined) return;
    const known = this.#of(task);
    if (known.exact.size(payloadBytes)) this.#registry.add('task.payload.outliers', taskAttributes(task), 1);
    if (cpuQuality === 'exact') known.exact.cost(payloadBytes, cpuMs);
    else if (cpuQuality === 'sync_only') known.sync.cost(payloadBytes, cpuMs);
    else return;
    known.changed = true;
  }

  /** Tells what is known by now; to be called every few seconds. */
  publish(): void {
    for (const [task, known] of this.#known) {
      if (!known.changed) continue;
      known.changed = false;
      const [exact, sync] = [known.exact.growth(), known.sync.growth()];
      const growth = exact !== undefined && exact.runs * WORTH >= (sync?.runs ?? 0) ? exact : sync;
      if (growth === undefined) continue;
      this.#registry.set('task.payload.growth', taskAttributes(task), growth.exponent);
      this.#registry.set('task.payload.growth.lower', taskAttributes(task), growth.lower);
    }
  }

  #of(task: TaskKey): Known {
    let known = this.#known.get(task);
    if (known === undefined) {
      known = { exact: new PayloadHistory(), sync: new PayloadHistory(), changed: false };
      this.#known.set(task, known);
    }
    return known;
  }
}
