import v8 from 'node:v8';
import { oldUsed } from '../../bridge/heap-figures.ts';
import type { Collection } from '../../bridge/protocol.ts';
import { threadMs } from '../../model/clock.ts';
import { exposeGc, type Gc } from '../../model/gc.ts';
import { cpuUsage, getHeapStatistics } from '../../model/native.ts';

/** The host's may be another one later. */
const { parse } = JSON;
/** Has V8 begin to mark once the old generation has grown by more than this share of its headroom, percent; 0 is V8's own schedule. */
const TRIGGER = '--incremental-marking-hard-trigger';
/** V8's kV8ActivationThreshold. */
const LEAST_MARKED = 8 * 1024 * 1024;
/** Characters from which on a string is an object with pages of its own. */
const LARGE = 270_000;
/** Before another try the heap has to have grown by this many times what tries leave behind, or they alone would be what V8 begins for. */
const GROWTH_PER_TRY = 4;
/** After the first try comes the next when as much of the time as this since has passed once more. */
const RETRY_SHARE = 0.1;
const RETRY_MS = { least: 1000, most: 30_000 };
/** How long a profiler is on at most; it writes of each scavenge. */
const WATCHED_MS = 1000;

/** Full collections of this thread's heap, on demand. */
export class Collector {
  readonly #tell: (collection: Collection) => void;
  readonly #leastMarked: number;
  #gc: Gc | undefined;
  /** It alone knows the heap as it was when a natural collection ended, which is told of when the loop turns again. */
  #profiler: v8.GCProfiler | undefined;
  #keys = 0;
  #wantedAt: number | undefined;
  #triedAt = Number.NEGATIVE_INFINITY;
  /** Bytes of the old generation after the last full collection, and tries since. */
  #usedThen = 0;
  #tries = 0;

  /**
   * @param tell called after a collection, after a natural one when the loop has turned
   * @param leastMarked bytes of the old generation up to which V8 does not mark while jobs run
   */
  constructor(tell: (collection: Collection) => void, leastMarked: number = LEAST_MARKED) {
    this.#tell = tell;
    this.#leastMarked = leastMarked;
  }

  /**
   * Wants a collection as V8 makes them of its own accord: marked while jobs run and by helper threads. To be called again, with a
   * monotonic time in ms, until one has been told of; as long as the heap hardly grows there is none.
   */
  natural(nowMs: number): void {
    this.#wantedAt ??= nowMs;
    const since = nowMs - this.#triedAt;
    if (since >= WATCHED_MS) this.stop();
    const share = RETRY_SHARE * (nowMs - this.#wantedAt);
    if (since < Math.min(RETRY_MS.most, Math.max(RETRY_MS.least, share))) return;
    if (oldUsed() <= this.#leastMarked) {
      this.exact();
      return;
    }
    this.#triedAt = nowMs;
    this.#watch();
    if (this.#tries > 0 && !this.#hasGrown()) return;
    this.#tries++;
    this.#begin();
  }

  #hasGrown(): boolean {
    // What is young is no growth to V8 before it has survived; a thread with little to do scavenges seldom.
    this.#exposed()({ type: 'minor' });
    return oldUsed() - this.#usedThen >= GROWTH_PER_TRY * LARGE * this.#tries;
  }

  /**
   * Collects at once, and tells of it. No garbage is left, but few of the objects that hot code makes are alive in this moment: V8 throws
   * away the compiled code that was made for their shapes, and making it again costs more than the collection (docs/discoveries.md).
   */
  exact(): void {
    this.#settle();
    const gc = this.#exposed();
    const start = threadMs();
    const cpu = cpuUsage();
    gc({ type: 'major' });
    const { user, system } = cpuUsage(cpu);
    // On a machine that is short of CPU most of the pause is waiting for it, which is not what the collection costs.
    const pauseMs = Math.min(threadMs() - start, (user + system) / 1000);
    const { used_heap_size, external_memory } = getHeapStatistics();
    this.#tell({ exact: true, pauseMs, heapAfter: used_heap_size, external: external_memory });
  }

  /** A full collection has ended, whoever began it. */
  ended(): void {
    this.#usedThen = oldUsed();
    this.#tries = 0;
    const isWatched = this.#profiler !== undefined;
    const last = this.stop().findLast(({ gcType }) => gcType === 'MarkSweepCompact');
    if (last === undefined) {
      // That one had ended before this one was tried.
      if (isWatched) this.#watch();
      return;
    }
    this.#settle();
    const { usedHeapSize, externalMemory } = last.afterGC.heapStatistics;
    // Costs are in µs.
    this.#tell({
      exact: false,
      pauseMs: last.cost / 1000,
      heapAfter: usedHeapSize,
      external: externalMemory,
    });
  }

  #watch(): void {
    this.#profiler = new v8.GCProfiler();
    this.#profiler.start();
  }

  /** Ends watching. @returns the collections that were seen */
  stop(): v8.GCProfilerResult['statistics'] {
    const seen = this.#profiler?.stop()?.statistics ?? [];
    this.#profiler = undefined;
    return seen;
  }

  #settle(): void {
    this.stop();
    this.#wantedAt = undefined;
    this.#triedAt = Number.NEGATIVE_INFINITY;
  }

  /**
   * V8 looks at the trigger when it makes a large object in the old generation, as a large key of an object is one. Flags are the
   * process's: other threads see it for no longer than that.
   */
  #begin(): void {
    const key = `${this.#keys++}`.padEnd(LARGE, ' ');
    v8.setFlagsFromString(`${TRIGGER}=1`);
    try {
      parse(`{"${key}":0}`);
    } finally {
      v8.setFlagsFromString(`${TRIGGER}=0`);
    }
  }

  #exposed(): Gc {
    this.#gc ??= exposeGc();
    return this.#gc;
  }
}
