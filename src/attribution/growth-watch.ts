/** How a full collection is done: as V8 makes them of its own accord, or at once. Only the latter leaves no garbage. */
export type How = 'natural' | 'exact';

/** Bytes after a full collection: of the heap, outside of it as V8 knows, and the rest of the process. */
export interface Levels {
  readonly heap: number;
  readonly external: number;
  readonly rss: number;
}

/** Growth from which on memory is not flat: the greater of bytes and a share of what was there before. */
interface Limit {
  readonly bytes: number;
  readonly share: number;
}

const KB = 1024;
const MB = 1024 * KB;
const LIMITS: Readonly<Record<keyof Levels, Readonly<Record<How, Limit>>>> = {
  heap: { natural: { bytes: MB, share: 0.03 }, exact: { bytes: 192 * KB, share: 0.005 } },
  external: { natural: { bytes: MB, share: 0.05 }, exact: { bytes: 512 * KB, share: 0.02 } },
  rss: { natural: { bytes: 4 * MB, share: 0.05 }, exact: { bytes: MB, share: 0.02 } },
};
/** Exact collections that decide whether memory is flat, and over what time they have to reach for its growth to have ended, ms. */
const WINDOW = 6;
const WINDOW_MS = 60_000;

/**
 * Whether a worker's memory grows. Natural collections tell it, which cost next to nothing; while it grows exact ones are needed to lay the growth
 * at a task's door, until six of them over a minute show that it has ended.
 */
export class GrowthWatch {
  readonly #heap = new Level(LIMITS.heap);
  readonly #all = [this.#heap, new Level(LIMITS.external), new Level(LIMITS.rss)] as const;
  #needs: How = 'natural';
  /** Of the latest collections of this kind. */
  #timesMs: number[] = [];

  /** What the next collection has to be. */
  get needs(): How {
    return this.#needs;
  }

  /** Whether the heap is known not to grow. */
  get isFlat(): boolean {
    return this.#heap.isFlat;
  }

  /** A collection was done, of the kind that was needed or exact. `nowMs` never goes back. */
  note(nowMs: number, { heap, external, rss }: Levels): void {
    const how = this.#needs;
    for (const [i, bytes] of [heap, external, rss].entries()) this.#all[i]!.note(how, bytes);
    this.#timesMs = [...this.#timesMs.slice(1 - WINDOW), nowMs];
    if (how === 'natural' ? !this.#all.some(({ grows }) => grows) : !this.#hasEnded(nowMs)) return;
    this.#needs = how === 'natural' ? 'exact' : 'natural';
    this.#timesMs = [];
    for (const level of this.#all) level.restart();
  }

  #hasEnded(nowMs: number): boolean {
    const reaches = this.#timesMs.length === WINDOW && nowMs - this.#timesMs[0]! >= WINDOW_MS;
    return reaches && this.#all.every(({ isFlat }) => isFlat);
  }
}

class Level {
  readonly #limits: Readonly<Record<How, Limit>>;
  /** The latest two of natural collections, the latest six of exact ones. */
  #latest: number[] = [];
  /** The lowest of earlier natural ones: the garbage that they leave comes on top of what is there. */
  #floor = Number.POSITIVE_INFINITY;
  isFlat = false;
  grows = false;

  constructor(limits: Readonly<Record<How, Limit>>) {
    this.#limits = limits;
  }

  note(how: How, bytes: number): void {
    this.#latest.push(bytes);
    if (how === 'natural') {
      if (this.#latest.length > 2) this.#floor = Math.min(this.#floor, this.#latest.shift()!);
      this.#decide(this.#floor, Math.min(...this.#latest), this.#limits.natural);
    } else if (this.#latest.length >= WINDOW) {
      this.#latest = this.#latest.slice(-WINDOW);
      const half = WINDOW / 2;
      this.#decide(median(this.#latest.slice(0, half)), median(this.#latest.slice(half)), this.#limits.exact);
    }
  }

  /** Collections of the other kind follow. */
  restart(): void {
    this.#latest = [];
    this.#floor = Number.POSITIVE_INFINITY;
    this.grows = false;
  }

  #decide(before: number, now: number, { bytes, share }: Limit): void {
    const isKnown = Number.isFinite(before);
    this.grows = isKnown && now - before >= Math.max(bytes, share * before);
    this.isFlat = isKnown && !this.grows;
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
