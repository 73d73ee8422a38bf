export interface GcBudgetOptions {
  /** Greatest share of time that full collections may pause the main thread, above 0. */
  budget?: number;
  /** Pause in ms that jobs would feel: after two in a row beyond it collections are rare. */
  longestPauseMs?: number;
  /** Time on the clock of `nowMs` from which the warm-up counts; the first call of `wants` when left out. */
  startMs?: number;
}

const WARM_UP_MS = 5000;
const SHORTEST_INTERVAL_MS = 1000;
const LONGEST_IDLE_MS = 30_000;
/** One long pause may be the machine's doing, two in a row are the heap's. */
const LONG_PAUSES = 2;
/** Jobs bear a long pause as rare as this, and without any a leak in a large heap would never be found. */
const FIRST_REST_MS = 10 * 60_000;
const LONGEST_REST_MS = 60 * 60_000;
const WAKE_BYTES = 1024 * 1024;
const WAKE_SHARE = 0.1;

/**
 * When a full collection may be asked for. The pauses stay below `budget` of all time, each collection paying with
 * the wait after it; while memory is flat the wait doubles up to half a minute, until the heap rises again. Pauses that jobs
 * feel come minutes apart, then an hour.
 */
export class GcBudget {
  readonly #budget: number;
  readonly #longestPauseMs: number;
  #startMs: number | undefined;
  #lastMs: number | undefined;
  #pauseMs = 0;
  #tooLong = 0;
  #idleDoublings = 0;
  /** Highest heap in use since the last collection, in bytes. */
  #highest = 0;
  /** Highest heap in use that turned out to be garbage: what is below it is no reason to look. */
  #harmless = 0;

  constructor(options: GcBudgetOptions = {}) {
    this.#budget = options.budget ?? 0.005;
    this.#longestPauseMs = options.longestPauseMs ?? 200;
    this.#startMs = options.startMs;
  }

  /** Whether to collect now. `nowMs` never goes back; `usedHeap` is the main thread's heap in use, in bytes. */
  wants(nowMs: number, usedHeap: number): boolean {
    this.#startMs ??= nowMs;
    this.#highest = Math.max(this.#highest, usedHeap);
    if (nowMs - this.#startMs < WARM_UP_MS) return false;
    if (this.#lastMs === undefined) return true;
    const waited = nowMs - this.#lastMs;
    const interval = Math.max(SHORTEST_INTERVAL_MS, this.#pauseMs / this.#budget, this.#restMs());
    if (waited < interval) return false;
    if (usedHeap - this.#harmless > Math.max(WAKE_BYTES, WAKE_SHARE * this.#harmless)) return true;
    return waited >= Math.max(interval, Math.min(LONGEST_IDLE_MS, interval * 2 ** this.#idleDoublings));
  }

  /** Notes a full collection that ended at `nowMs`: its pause, and whether the heap is known not to grow. */
  record(nowMs: number, pauseMs: number, isFlat: boolean): void {
    this.#lastMs = nowMs;
    this.#pauseMs = pauseMs;
    this.#tooLong = pauseMs > this.#longestPauseMs ? this.#tooLong + 1 : 0;
    if (isFlat) {
      this.#idleDoublings++;
      this.#harmless = Math.max(this.#harmless, this.#highest);
    } else {
      this.#idleDoublings = 0;
    }
    this.#highest = 0;
  }

  #restMs(): number {
    if (this.#tooLong < LONG_PAUSES) return 0;
    return Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** (this.#tooLong - LONG_PAUSES));
  }
}
