import type { Sample } from '../model/queryable.ts';

/** Whether a sample is the first to make way for a better one. */
type Worse = (a: number, b: number) => boolean;

const LESS: Worse = (a, b) => Number.isNaN(a) || a < b;
const GREATER: Worse = (a, b) => Number.isNaN(a) || a > b;

/**
 * The `count` greatest or least of more samples than that, in no order. A heap with the worst sample on top, moved about as
 * Go's container/heap does it, so that of equal samples those stay that stay in Prometheus.
 */
export function best(samples: readonly Sample[], count: number, greatest: boolean): Sample[] {
  const worse = greatest ? LESS : GREATER;
  const heap: Sample[] = [];
  for (const sample of samples) {
    const worst = heap[0];
    if (worst === undefined || heap.length < count) {
      heap.push(sample);
      rise(heap, worse);
    } else if (isBetter(sample.value, worst.value, greatest)) {
      heap[0] = sample;
      sink(heap, worse);
    }
  }
  return heap;
}

function isBetter(value: number, worst: number, greatest: boolean): boolean {
  if (Number.isNaN(worst)) return !Number.isNaN(value);
  return greatest ? value > worst : value < worst;
}

/** Moves the last sample up to its place. */
function rise(heap: Sample[], worse: Worse): void {
  let at = heap.length - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!worse(heap[at]!.value, heap[parent]!.value)) return;
    swap(heap, at, parent);
    at = parent;
  }
}

/** Moves the top sample down to its place. */
function sink(heap: Sample[], worse: Worse): void {
  for (let at = 0; ; ) {
    let child = 2 * at + 1;
    if (child >= heap.length) return;
    const other = heap[child + 1];
    if (other !== undefined && worse(other.value, heap[child]!.value)) child++;
    if (!worse(heap[child]!.value, heap[at]!.value)) return;
    swap(heap, at, child);
    at = child;
  }
}

function swap(heap: Sample[], a: number, b: number): void {
  [heap[a], heap[b]] = [heap[b]!, heap[a]!];
}
