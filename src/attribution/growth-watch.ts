/** How a full collection is done: as V8 makes them of its own accord, or at once. Only the latter leaves no garbage. */
export type How = 'natural' | 'exact';

/** Growth from which on the heap is not flat: the greater of bytes and a share of what was there before. */
const LIMITS: Readonly<Record<How, { readonly bytes: number; readonly share: number }>> = {
  natural: { bytes: 1024 * 1024, share: 0.03 },
  exact: { bytes: 192 * 1024, share: 0.005 },
};
/** Exact collections that decide whether the heap is flat, and over what time they have to reach for its growth to have ended, ms. */
const WINDOW = 6;
const WINDOW_MS = 60_000;

interface Sample {
  readonly atMs: number;
  readonly heap: number;
}

/**
 * Whether a worker's heap grows. Natural collections tell it, which cost next to nothing; while it grows exact ones are needed to lay
 * the growth at a task's door, until six of them over a minute show that it has ended.
 */
export class GrowthWatch {
  #needs: How = 'natural';
  /** The latest two of natural collections, the latest six of exact ones. */
  #latest: Sample[] = [];
  /** The lowest heap of earlier natural ones: the garbage that they leave comes on top of what is there. */
  #floor = Number.POSITIVE_INFINITY;
  #isFlat = false;

  /** What the next collection has to be. */
  get needs(): How {
    return this.#needs;
  }

  /** Whether the heap is known not to grow. */
  get isFlat(): boolean {
    return this.#isFlat;
  }

  /** A collection was done, of the kind that was needed or exact: `heap` bytes after it. `atMs` never goes back. */
  note(atMs: number, heap: number): void {
    this.#latest.push({ atMs, heap });
    if (this.#needs === 'natural') this.#noteNatural();
    else this.#noteExact(atMs);
  }

  #noteNatural(): void {
    if (this.#latest.length > 2) this.#floor = Math.min(this.#floor, this.#latest.shift()!.heap);
    if (!Number.isFinite(this.#floor)) return;
    this.#decide(this.#floor, Math.min(...this.#latest.map(({ heap }) => heap)));
    if (!this.#isFlat) this.#turnTo('exact');
  }

  #noteExact(atMs: number): void {
    if (this.#latest.length < WINDOW) return;
    this.#latest = this.#latest.slice(-WINDOW);
    const half = WINDOW / 2;
    this.#decide(median(this.#latest.slice(0, half)), median(this.#latest.slice(half)));
    if (this.#isFlat && atMs - this.#latest[0]!.atMs >= WINDOW_MS) this.#turnTo('natural');
  }

  #decide(before: number, now: number): void {
    const { bytes, share } = LIMITS[this.#needs];
    this.#isFlat = now - before < Math.max(bytes, share * before);
  }

  #turnTo(how: How): void {
    this.#needs = how;
    this.#latest = [];
    this.#floor = Number.POSITIVE_INFINITY;
  }
}

function median(samples: readonly Sample[]): number {
  return samples.map(({ heap }) => heap).sort((a, b) => a - b)[samples.length >> 1]!;
}
