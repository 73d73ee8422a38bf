import type { Labels } from '../model/labels.ts';

const NONE = 0;
const SAMPLE = 1;
const STALE = 2;

/** The series of one metric name. */
export interface Family {
  readonly columns: Set<Column>;
  /** Changes with the set, so that what was selected from it can be remembered. */
  version: number;
  /** Number of the last write to one of them. */
  written: number;
}

/**
 * The samples of one series by row of the shared tick column. Rows before `first` and after `last` have none; the rows
 * between have one each unless `presence` is kept, which happens from the first gap or staleness marker on and ends once
 * these have left the store.
 */
export class Column {
  readonly id: number;
  readonly labels: Labels;
  readonly key: string;
  readonly family: Family;
  values: Float64Array;
  presence: Uint8Array | undefined;
  first = -1;
  last = -1;
  /** Latest row whose sample is below the one before it, as far as known: rows after it are certain not to be. */
  lastFall = -1;
  /** True once a series has stayed empty for a whole compaction. */
  #idle = false;

  constructor(id: number, labels: Labels, key: string, family: Family, capacity: number) {
    this.id = id;
    this.labels = labels;
    this.key = key;
    this.family = family;
    this.values = new Float64Array(capacity);
  }

  get bytes(): number {
    return this.values.byteLength + (this.presence?.byteLength ?? 0);
  }

  set(row: number, value: number): void {
    if (this.first < 0) this.first = row;
    else if (row > this.last + 1) this.#keepPresence();
    this.values[row] = value;
    if (this.presence !== undefined) this.presence[row] = SAMPLE;
    // Next to a gap the row before may hold anything.
    if (this.presence !== undefined || !(value >= this.values[row - 1]!)) this.lastFall = row;
    if (row > this.last) this.last = row;
  }

  /** Ends the series at a row. A series without samples has nothing to end. */
  markStale(row: number): void {
    if (this.first < 0) return;
    this.#keepPresence()[row] = STALE;
    if (row > this.last) this.last = row;
  }

  grow(capacity: number): void {
    const { values, presence } = this;
    this.values = new Float64Array(capacity);
    this.values.set(values);
    if (presence === undefined) return;
    this.presence = new Uint8Array(capacity);
    this.presence.set(presence);
  }

  /** Drops the rows before `row`. False when no sample is left; one just made gets until the next time to have one. */
  dropBefore(row: number): boolean {
    if (this.first < 0 && !this.#idle) {
      this.#idle = true;
      return true;
    }
    if (this.last < row) return false;
    this.values.copyWithin(0, row, this.last + 1);
    this.presence?.copyWithin(0, row, this.last + 1);
    this.first = Math.max(0, this.first - row);
    this.last -= row;
    this.lastFall -= row;
    this.presence?.fill(NONE, this.last + 1);
    this.#forgetPresence();
    return true;
  }

  #keepPresence(): Uint8Array {
    if (this.presence === undefined) {
      this.presence = new Uint8Array(this.values.length);
      this.presence.fill(SAMPLE, this.first, this.last + 1);
    }
    return this.presence;
  }

  #forgetPresence(): void {
    const { presence, first, last } = this;
    if (presence?.subarray(first, last + 1).every((state) => state === SAMPLE)) this.presence = undefined;
  }
}
