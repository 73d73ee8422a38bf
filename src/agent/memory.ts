import { GcBudget } from '../attribution/gc-budget.ts';
import { GrowthEstimator } from '../attribution/growth.ts';
import type { Inbox } from '../bridge/inbox.ts';
import { F64, I32, type TaskKey } from '../bridge/protocol.ts';
import type { Registry } from '../store/registry.ts';
import { type Ingest, taskAttributes, taskKeyText } from './ingest.ts';

/** Which task leaves memory behind: asks for full collections within a budget, and reads their results. */
export class Memory {
  readonly #inbox: Inbox;
  readonly #registry: Registry;
  readonly #ingest: Ingest;
  readonly #budget: GcBudget | undefined;
  readonly #growth = new GrowthEstimator();
  #named = new Map<string, TaskKey>();
  #read = 0;

  /** @param gcBudget share of time that collections may take; 0 asks for none */
  constructor(inbox: Inbox, registry: Registry, ingest: Ingest, gcBudget: number) {
    this.#inbox = inbox;
    this.#registry = registry;
    this.#ingest = ingest;
    this.#budget = gcBudget > 0 ? new GcBudget({ budget: gcBudget }) : undefined;
  }

  /** To be called about every second with a monotonic time, after the finished runs were read. */
  check(nowMs: number): void {
    const { i32, f64 } = this.#inbox.shared;
    const done = Atomics.load(i32, I32.gcDone);
    const asked = Atomics.load(i32, I32.gcAsked);
    if (done !== this.#read) {
      this.#read = done;
      this.#budget?.record(nowMs, f64[F64.gcPauseMs]!, f64[F64.gcHeapAfter]!);
      this.#observe(nowMs, f64[F64.gcHeapAfter]!);
    } else if (asked === done && this.#budget?.wants(nowMs, f64[F64.usedHeap]!)) {
      Atomics.store(i32, I32.gcAsked, asked + 1);
    }
  }

  #observe(nowMs: number, heap: number): void {
    this.#growth.observe({
      usedHeapAfterMajorGc: heap,
      completedByTask: this.#ingest.completed,
      inFlight: this.#inbox.active().length,
      timeMs: nowMs,
    });
    const estimates = this.#growth.estimates();
    const tasks = new Map(this.#inbox.tasks.map((task) => [taskKeyText(task), task]));
    const named = new Map<string, TaskKey>();
    for (const [key, { bytesPerRun, lower }] of estimates) {
      const task = tasks.get(key);
      if (task === undefined) continue;
      named.set(key, task);
      this.#registry.set('task.memory.retained', taskAttributes(task), bytesPerRun);
      this.#registry.set('task.memory.retained.lower', taskAttributes(task), lower);
    }
    for (const [key, task] of this.#named) {
      if (named.has(key)) continue;
      this.#registry.remove('task.memory.retained', taskAttributes(task));
      this.#registry.remove('task.memory.retained.lower', taskAttributes(task));
    }
    this.#named = named;
  }
}
