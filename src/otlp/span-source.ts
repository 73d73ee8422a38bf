import type { RunRecord } from '../bridge/inbox.ts';
import type { SpanData } from '../model/span.ts';
import type { Encoder } from './encoder.ts';
import type { Batch, QueueSource, Source } from './queue.ts';
import type { PageBatch, RunSpanPages } from './run-span-pages.ts';

const isPage = (batch: Batch): batch is PageBatch => 'page' in batch;

export interface SpanSourceOptions {
  readonly runs: RunSpanPages;
  readonly others: QueueSource<SpanData>;
  /** Spans held at most, but for a page; when there are more, the oldest page of runs makes room. */
  readonly capacity: number;
  onDropped(count: number): void;
}

/** Spans of runs, encoded already, and all others, in requests of their own or in one where both are ready. */
export class SpanSource implements Source {
  readonly #options: SpanSourceOptions;
  readonly #runs: RunSpanPages;
  readonly #others: QueueSource<SpanData>;
  #again: Batch[] = [];

  constructor(options: SpanSourceOptions) {
    this.#options = options;
    this.#runs = options.runs;
    this.#others = options.others;
  }

  /** @returns false for a run that no page has room for */
  addRun(run: RunRecord): boolean {
    if (!this.#runs.add(run)) return false;
    this.#makeRoom();
    return true;
  }

  add(span: SpanData): void {
    this.#others.push(span);
    this.#makeRoom();
  }

  get size(): number {
    let size = this.#runs.size + this.#others.size;
    for (const { count } of this.#again) size += count;
    return size;
  }

  /** Whether there is enough for a request. */
  get isFull(): boolean {
    return this.#runs.isFull || this.#others.isFull;
  }

  take(encoder: Encoder): Batch | undefined {
    return this.#again.shift() ?? this.#takeNew(encoder);
  }

  giveBack(batch: Batch): void {
    this.#again.push(batch);
  }

  settled(batch: Batch): void {
    if (isPage(batch)) this.#runs.release(batch);
  }

  hurry(): void {
    this.#runs.hurry();
    this.#others.hurry();
  }

  clear(): number {
    const { size } = this;
    this.#again = [];
    this.#runs.clear();
    this.#others.clear();
    return size;
  }

  #takeNew(encoder: Encoder): Batch | undefined {
    const runs = this.#runs.take();
    const others = this.#others.take(encoder);
    if (runs === undefined || others === undefined) return runs ?? others;
    // Messages joined end to end are their merger.
    const both = { body: Buffer.concat([runs.body, others.body]), count: runs.count + others.count };
    this.#runs.release(runs);
    return both;
  }

  #makeRoom(): void {
    if (this.size <= this.#options.capacity) return;
    const dropped = this.#runs.dropOldest();
    if (dropped > 0) this.#options.onDropped(dropped);
  }
}
