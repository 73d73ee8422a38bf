import { type Labels, labelsKey } from '../model/labels.ts';
import type { Append, Matcher, Queryable, SeriesView } from '../model/queryable.ts';
import { Column } from './column.ts';
import { SeriesIndex } from './series-index.ts';

export interface SeriesStoreOptions {
  /** Series held at most; samples of further ones are refused and counted. */
  readonly maxSeries: number;
  /** Ticks kept at least: retention divided by the interval between ticks. */
  readonly maxTicks: number;
  /** Called with the number of samples that were just dropped. */
  readonly onDropped?: (samples: number) => void;
}

/** Rows that columns start with; they double from there as the store fills. */
const FIRST_CAPACITY = 16;

/**
 * The recent past of a bounded number of series. All share one ascending column of ticks, so a window of time is found
 * once for all of them and is contiguous in every one. Rows are added at the end; when the columns are full, the newest
 * `maxTicks` move to their start (every `maxTicks / 8` ticks). Series without a sample left are released then. Memory is
 * about 8 bytes per series and row in use.
 */
export class SeriesStore implements Queryable {
  readonly #maxSeries: number;
  readonly #maxTicks: number;
  readonly #maxCapacity: number;
  readonly #onDropped: (samples: number) => void;
  readonly #byKey = new Map<string, Column>();
  readonly #byLabels = new WeakMap<Labels, number>();
  readonly #byId = new Map<number, Column>();
  readonly #index = new SeriesIndex();
  #times: Float64Array;
  #rows = 0;
  /** Row that samples go to; -1 when the last tick was refused. */
  #row = -1;
  #nextId = 0;
  #dropped = 0;

  constructor({ maxSeries, maxTicks, onDropped = () => {} }: SeriesStoreOptions) {
    this.#maxSeries = maxSeries;
    this.#maxTicks = maxTicks;
    this.#maxCapacity = Math.max(maxTicks + 1, Math.ceil(maxTicks * 1.125));
    this.#onDropped = onDropped;
    this.#times = new Float64Array(Math.min(FIRST_CAPACITY, this.#maxCapacity));
  }

  /** Series held, those that ended within the retention included. */
  get size(): number {
    return this.#byKey.size;
  }

  get ticks(): number {
    return this.#rows;
  }

  /** Samples refused since the start: the store was full, or the clock went back. */
  get droppedSamples(): number {
    return this.#dropped;
  }

  /** Bytes of all columns. */
  get bytes(): number {
    let bytes = this.#times.byteLength;
    for (const column of this.#byKey.values()) bytes += column.bytes;
    return bytes;
  }

  /** Time of the newest tick, ms since the Unix epoch; undefined before the first. */
  get lastTick(): number | undefined {
    return this.#rows === 0 ? undefined : this.#times[this.#rows - 1];
  }

  /** Adds samples at `t`; the tick is made when there is none of that time yet. */
  readonly append: Append = (t, samples) => {
    const accepted = this.tick(t);
    for (const { labels, value } of samples) {
      if (accepted) this.set(this.#idOf(labels), value);
      else this.#drop();
    }
  };

  /**
   * Begins the tick of time `t` (ms), or goes on with it when it is the newest. False when a newer tick exists, as after
   * a clock was set back: whatever is written until the next tick is then dropped and counted.
   */
  tick(t: number): boolean {
    const last = this.lastTick ?? Number.NEGATIVE_INFINITY;
    if (!(t >= last && t < Number.POSITIVE_INFINITY)) {
      this.#row = -1;
      return false;
    }
    if (t > last) this.#addRow(t);
    this.#row = this.#rows - 1;
    return true;
  }

  /**
   * The id of a series for {@link set}, made when there is none of these labels (empty values count as absent); -1 when
   * the store is full. An id holds as long as its series has samples within the retention; ids are never used twice.
   */
  series(labels: Labels): number {
    const clean = withoutEmpty(labels);
    const key = labelsKey(clean);
    const known = this.#byKey.get(key);
    if (known !== undefined) return known.id;
    if (this.#byKey.size >= this.#maxSeries) return -1;
    const family = this.#index.family(clean);
    const column = new Column(this.#nextId++, clean, key, family, this.#times.length);
    this.#byKey.set(key, column);
    this.#byId.set(column.id, column);
    this.#index.add(column);
    return column.id;
  }

  /** {@link series}, without a look at labels whose object was seen before: they never change. */
  #idOf(labels: Labels): number {
    const known = this.#byLabels.get(labels);
    if (known !== undefined && this.#byId.has(known)) return known;
    const id = this.series(labels);
    if (id >= 0) this.#byLabels.set(labels, id);
    return id;
  }

  /**
   * Writes a sample of the present tick; a second one replaces the first. False when it was dropped: the id is -1 or its
   * series was released, for which {@link series} gives a new id, or the tick was refused.
   */
  set(id: number, value: number): boolean {
    const column = this.#byId.get(id);
    if (column === undefined || this.#row < 0) return this.#drop();
    column.set(this.#row, value);
    this.#index.wrote(column);
    return true;
  }

  /**
   * Says that a series without samples was 0 at the tick before the present one, where there is one: of a counter that began after
   * it, `rate` and `increase` then see the first sample as an increase.
   */
  beginAtZero(id: number): void {
    const column = this.#byId.get(id);
    if (column === undefined || this.#row < 1 || column.first >= 0) return;
    column.set(this.#row - 1, 0);
    this.#index.wrote(column);
  }

  /** Says that a series ends with the present tick: instant selectors find it no more, from now on. */
  markStale(id: number): void {
    const column = this.#byId.get(id);
    if (column === undefined || this.#row < 0) return;
    column.markStale(this.#row);
    this.#index.wrote(column);
  }

  lastWrite(name: string | undefined): number {
    return this.#index.lastWrite(name);
  }

  select(matchers: readonly Matcher[], from: number, to: number): SeriesView[] {
    const times = this.#times;
    const after = this.#after(from);
    const upTo = this.#after(to);
    const views: SeriesView[] = [];
    if (after >= upTo) return views;
    for (const { labels, values, presence, first, last, lastFall } of this.#index.select(matchers)) {
      const start = Math.max(after, first);
      const end = Math.min(upTo, last + 1);
      if (first >= 0 && start < end) views.push({ labels, times, values, presence, start, end, lastFall });
    }
    return views;
  }

  /** First row whose tick is later than `t`. Most searches end within the last rows, so it gallops from the end. */
  #after(t: number): number {
    const times = this.#times;
    let high = this.#rows;
    let low = high;
    for (let step = 1; low > 0 && times[low - 1]! > t; step *= 2) {
      high = low;
      low = Math.max(0, low - step);
    }
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (times[middle]! > t) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #addRow(t: number): void {
    if (this.#rows === this.#times.length) {
      if (this.#rows < this.#maxCapacity) this.#grow();
      else this.#compact();
    }
    this.#times[this.#rows++] = t;
  }

  #grow(): void {
    const capacity = Math.min(this.#times.length * 2, this.#maxCapacity);
    const times = this.#times;
    this.#times = new Float64Array(capacity);
    this.#times.set(times);
    for (const column of this.#byKey.values()) column.grow(capacity);
  }

  /** Makes room: one row less than `maxTicks` stays, the next is about to come. */
  #compact(): void {
    const gone = this.#rows - (this.#maxTicks - 1);
    this.#times.copyWithin(0, gone, this.#rows);
    this.#rows -= gone;
    for (const column of this.#byKey.values()) {
      if (!column.dropBefore(gone)) this.#release(column);
    }
  }

  #release(column: Column): void {
    this.#byKey.delete(column.key);
    this.#byId.delete(column.id);
    this.#index.remove(column);
  }

  #drop(): false {
    this.#dropped++;
    this.#onDropped(1);
    return false;
  }
}

function withoutEmpty(labels: Labels): Labels {
  const names = Object.keys(labels);
  return Object.freeze(
    Object.fromEntries(names.filter((name) => labels[name] !== '').map((name) => [name, labels[name]!])),
  );
}
