import { PayloadHistory } from '../attribution/payload.ts';
import type { RunRecord } from '../bridge/inbox.ts';
import type { TaskKey } from '../bridge/protocol.ts';
import type { Registry } from '../store/registry.ts';
import { taskAttributes } from './ingest.ts';

interface Known {
  readonly history: PayloadHistory;
  /** Whether its costs are those of exactly measured runs: then others are left out. */
  exact: boolean;
  changed: boolean;
  told: boolean;
}

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
    if (known.history.size(payloadBytes))
      this.#registry.add('task.payload.outliers', taskAttributes(task), 1);
    const exact = cpuQuality === 'exact';
    if (!exact && (known.exact || cpuQuality !== 'sync_only')) return;
    if (exact && !known.exact) known.history.forgetCosts();
    known.exact = exact;
    known.history.cost(payloadBytes, cpuMs);
    known.changed = true;
  }

  /** Tells what is known by now; to be called every few seconds. */
  publish(): void {
    for (const [task, known] of this.#known) {
      if (!known.changed) continue;
      known.changed = false;
      const growth = known.history.growth();
      const attributes = taskAttributes(task);
      if (growth !== undefined) {
        this.#registry.set('task.payload.growth', attributes, growth.exponent);
        this.#registry.set('task.payload.growth.lower', attributes, growth.lower);
      } else if (known.told) {
        this.#registry.remove('task.payload.growth', attributes);
        this.#registry.remove('task.payload.growth.lower', attributes);
      }
      known.told = growth !== undefined;
    }
  }

  #of(task: TaskKey): Known {
    let known = this.#known.get(task);
    if (known === undefined) {
      known = { history: new PayloadHistory(), exact: false, changed: false, told: false };
      this.#known.set(task, known);
    }
    return known;
  }
}
