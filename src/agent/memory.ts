import { GcBudget } from '../attribution/gc-budget.ts';
import { GrowthWatch } from '../attribution/growth-watch.ts';
import type { HeapObservation } from '../attribution/sample-window.ts';
import type { Inbox } from '../bridge/inbox.ts';
import { type Collection, F64, I32, MAX_SPACES, type TaskKey } from '../bridge/protocol.ts';
import type { Registry } from '../store/registry.ts';
import { type Ingest, taskAttributes, taskKeyText } from './ingest.ts';
import { Leaks } from './leaks.ts';

const RUNS_BETWEEN = 5;
/** How long V8 may find no reason to collect: memory outside of its heap grows unseen meanwhile. */
const PATIENCE_MS = 60_000;

export interface MemoryOptions {
  /** Share of time that collections may take; 0 asks for none. */
  readonly gcBudget: number;
  /** What caches of the worker may fill, MiB. */
  readonly cache?: number;
}

/** Which task leaves memory behind: asks for full collections within a budget, and reads their results. */
export class Memory {
  readonly #inbox: Inbox;
  readonly #registry: Registry;
  readonly #ingest: Ingest;
  readonly #budget: GcBudget | undefined;
  readonly #growth = new GrowthWatch();
  readonly #heap: Leaks;
  readonly #external: Leaks;
  readonly #rss: Leaks;
  #finishedAtLast = 0;
  #askedMs = 0;
  #named = new Map<string, TaskKey>();

  constructor(inbox: Inbox, registry: Registry, ingest: Ingest, options: MemoryOptions) {
    const { gcBudget, cache } = options;
    this.#inbox = inbox;
    this.#registry = registry;
    this.#ingest = ingest;
    this.#heap = new Leaks('heap', registry, cache);
    this.#external = new Leaks('external', registry, cache);
    this.#rss = new Leaks('rss', registry, cache);
    this.#budget = gcBudget > 0 ? new GcBudget({ budget: gcBudget }) : undefined;
  }

  /** Asks for a collection when the budget has one; to be called about every second with a monotonic time. */
  check(nowMs: number): void {
    const { i32, f64 } = this.#inbox.shared;
    const asked = Atomics.load(i32, I32.gcAsked);
    if (asked !== Atomics.load(i32, I32.gcDone)) {
      if (nowMs - this.#askedMs >= PATIENCE_MS) this.#ask(true);
      return;
    }
    // A collection tells something of tasks only when some have run since the last.
    if (this.#ingest.finished - this.#finishedAtLast < RUNS_BETWEEN) return;
    if (!this.#budget?.wants(nowMs, f64[F64.usedHeap]!)) return;
    this.#askedMs = nowMs;
    // Exact ones name a task, and clear it.
    this.#ask(this.#growth.needsExact || this.#named.size > 0 || this.#heap.tells);
    Atomics.store(i32, I32.gcAsked, asked + 1);
  }

  #ask(exact: boolean): void {
    Atomics.store(this.#inbox.shared.i32, I32.gcExact, exact ? 1 : 0);
  }

  /**
   * A collection was done; `completed` runs are those that had ended before it.
   *
   * @param rss resident bytes of the process, NaN if unknown
   */
  collected(nowMs: number, { exact, pauseMs, heapAfter, external }: Collection, rss: number): void {
    this.#finishedAtLast = this.#ingest.finished;
    this.#growth.note(nowMs, heapAfter);
    this.#budget?.record(nowMs, pauseMs, this.#growth.isFlat);
    const tasks = new Map(this.#inbox.tasks.map((task) => [taskKeyText(task), task]));
    const at = {
      completedByTask: this.#ingest.completed,
      inFlight: this.#inbox.active().length,
      timeMs: nowMs,
    };
    const saw = (level: number): HeapObservation => ({ ...at, level });
    this.#external.observe(saw(external), tasks);
    if (!Number.isNaN(rss)) this.#rss.observe(saw(rss - this.#resident() - external), tasks);
    if (exact) {
      this.#heap.observe(saw(heapAfter), tasks);
      this.#nameRetaining(tasks);
    } else if (this.#growth.isFlat) this.#heap.flat();
  }

  #nameRetaining(tasks: ReadonlyMap<string, TaskKey>): void {
    const estimates = this.#heap.estimator.estimates();
    const named = new Map<string, TaskKey>();
    for (const [key, { perRun, lower }] of estimates) {
      const task = tasks.get(key);
      if (task === undefined) continue;
      named.set(key, task);
      this.#registry.set('task.memory.retained', taskAttributes(task), perRun);
      this.#registry.set('task.memory.retained.lower', taskAttributes(task), lower);
    }
    for (const [key, task] of this.#named) {
      if (named.has(key)) continue;
      this.#registry.remove('task.memory.retained', taskAttributes(task));
      this.#registry.remove('task.memory.retained.lower', taskAttributes(task));
    }
    this.#named = named;
  }

  /** Bytes of the heap's pages that are in memory, used or not, a second ago at most. */
  #resident(): number {
    const { f64 } = this.#inbox.shared;
    let sum = 0;
    for (let space = 0; space < MAX_SPACES; space++) sum += f64[F64.spaces + 3 * space + 2]!;
    return sum;
  }
}
