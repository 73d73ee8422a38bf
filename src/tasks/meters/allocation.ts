import { getHeapStatistics } from '../../model/native.ts';
import type { Cell } from '../context.ts';

/** Measured in a row, as the reading at the end of one is the reading at the beginning of the next. */
const IN_A_ROW = 4;
/** Measured slices a second between which their share stays as it is. A reading of the heap takes up to 3 µs between other work: 1000 take 0.4 % of a core. */
const FEWEST = 250;
const MOST = 1000;
const WIDEST_STRIDE = 1023;

/**
 * Allocation of each task: what the heap grew by in slices of the thread's time, drawn at random, times as many slices as one stands
 * for. A slice in which the heap shrank has seen a collection: then the task's own rate up to now is taken.
 */
export class Allocation {
  readonly #add: (taskId: number, bytes: number) => void;
  readonly #rates = new Map<number, { bytes: number; ms: number }>();
  /** A reading makes an object itself. */
  readonly #ownBytes: number;
  /** Slices left out on average for each that is measured. */
  #stride = 15;
  #left = 1;
  /** Slices of the present row that are yet to be measured. */
  #row = 0;
  /** How many slices the next one stands for. */
  #weight = 1;
  /** Heap in use at the beginning of the slice that is measured, bytes; 0 for none. */
  #before = 0;
  #measured = 0;

  constructor(add: (taskId: number, bytes: number) => void) {
    this.#add = add;
    this.#ownBytes = ownBytes();
  }

  /** The thread has just left `cell` after a slice of `sliceMs`, and a new slice begins. */
  switched(cell: Cell, sliceMs: number): void {
    if (this.#before > 0) this.#finish(cell, sliceMs);
    else this.#left--;
    if (this.#before > 0 || this.#left >= 0) return;
    this.#row = IN_A_ROW;
    this.#before = usedHeap();
  }

  /** Adapts how many slices are measured, at every heartbeat. */
  check(elapsedMs: number): void {
    const perSecond = (this.#measured * 1000) / Math.max(1, elapsedMs);
    this.#measured = 0;
    if (perSecond > MOST) this.#stride = Math.min(WIDEST_STRIDE, 2 * this.#stride + 1);
    else if (perSecond < FEWEST) this.#stride >>= 1;
  }

  /** Forgets the slice that is being measured. */
  interrupt(): void {
    this.#before = 0;
  }

  #finish(cell: Cell, sliceMs: number): void {
    const used = usedHeap();
    const grown = used - this.#before - this.#ownBytes;
    this.#before = used;
    this.#measured++;
    if (cell.taskId >= 0) this.#add(cell.taskId, this.#bytes(cell.taskId, grown, sliceMs) * this.#weight);
    if (--this.#row > 0) return;
    this.#before = 0;
    // Random gaps, or tasks that take turns would be measured always or never.
    this.#weight = this.#stride + 1;
    this.#left = Math.floor(Math.random() * (2 * IN_A_ROW * this.#stride + 1)) - 1;
  }

  #bytes(taskId: number, grown: number, sliceMs: number): number {
    let rate = this.#rates.get(taskId);
    if (rate === undefined) {
      rate = { bytes: 0, ms: 0 };
      this.#rates.set(taskId, rate);
    }
    if (grown < -this.#ownBytes) return rate.ms > 0 ? (rate.bytes / rate.ms) * sliceMs : 0;
    const bytes = Math.max(0, grown);
    rate.bytes += bytes;
    rate.ms += sliceMs;
    return bytes;
  }
}

function usedHeap(): number {
  return getHeapStatistics().used_heap_size;
}

function ownBytes(): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5; i++) {
    const before = usedHeap();
    const grown = usedHeap() - before;
    if (grown >= 0) least = Math.min(least, grown);
  }
  return Number.isFinite(least) ? least : 0;
}
