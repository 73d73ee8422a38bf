/** Growth from which on the heap is not flat: the greater of bytes and a share of what was there before. */
const NATURAL = { bytes: 1024 * 1024, share: 0.03 };
const EXACT = { bytes: 192 * 1024, share: 0.005 };
/** Exact collections that decide whether the heap is flat, and over what time they have to reach for its growth to have ended, ms. */
const WINDOW = 6;
const WINDOW_MS = 60_000;

interface Sample {
  readonly atMs: number;
  readonly heap: number;
}

/**
 * Whether a worker's heap grows. Natural collections tell it, as V8 makes them of its own accord, which cost next to nothing but
 * leave garbage; while it grows exact ones are needed to lay the growth at a task's door, until six of them over a minute show that it
 * has ended.
 */
export class GrowthWatch {
  #needsExact = false;
  /** The latest two of natural collections, the latest six of exact ones. */
  #latest: Sample[] = [];
  /** The lowest heap of earlier natural ones: the garbage that they leave comes on top of what is there. */
  #floor = Number.POSITIVE_INFINITY;
  #isFlat = false;

  /** Whether the next collection has to be exact. */
  get needsExact(): boolean {
    return this.#needsExact;
  }

  /** Whether the heap is known not to grow. */
  get isFlat(): boolean {
    return this.#isFlat;
  }

  /** A collection was done, of the kind that was needed or exact: `heap` bytes after it. `atMs` never goes back. */
  note(atMs: number, heap: number): void {
    this.#latest.push({ atMs, heap });
    if (this.#needsExact) this.#noteExact(atMs);
    else this.#noteNatural();
  }

  #noteNatural(): void {
    if (this.#latest.length > 2) this.#floor = Math.min(this.#floor, this.#latest.shift()!.heap);
    if (!Number.isFinite(this.#floor)) return;
    this.#decide(this.#floor, Math.min(...this.#latest.map(({ heap }) => heap)));
    if (!this.#isFlat) this.#turn();
  }

  #noteExact(atMs: number): void {
    if (this.#latest.length < WINDOW) return;
    this.#latest = this.#latest.slice(-WINDOW);
    const half = WINDOW / 2;
    this.#decide(median(this.#latest.slice(0, half)), median(this.#latest.slice(half)));
    if (this.#isFlat && atMs - this.#latest[0]!.atMs >= WINDOW_MS) this.#turn();
  }

  #decide(before: number, now: number): void {
    const { bytes, share } = this.#needsExact ? EXACT : NATURAL;
    this.#isFlat = now - before < Math.max(bytes, share * before);
  }

  #turn(): void {
    this.#needsExact = !this.#needsExact;
    this.#latest = [];
    this.#floor = Number.POSITIVE_INFINITY;
  }
}

function median(samples: readonly Sample[]): number {
  return samples.map(({ heap }) => heap).sort((a, b) => a - b)[samples.length >> 1]!;
}
