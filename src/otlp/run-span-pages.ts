import type { RunRecord } from '../bridge/inbox.ts';
import type { Batch } from './queue.ts';
import { RunSpanEncoder, type SpanEnvelope } from './run-spans.ts';

/** Of one span; most take less. */
const SPAN_BYTES = 640;
/** Has room for a few spans with the longest names and ids. */
const LEAST_PAGE_BYTES = 64 * 1024;
/** Pages kept to be filled again: what is drained at once at full speed, and is on its way. */
const MAX_SPARE = 6;

interface Page {
  readonly bytes: Buffer;
  count: number;
  end: number;
}

/** A request that lies in a page. */
export interface PageBatch extends Batch {
  readonly page: Page;
}

/**
 * Spans of runs, encoded right into the requests that carry them. At full speed there are thousands a second: a buffer for each would be
 * most of the agent's garbage, and a copy of each most of the cost of sending it.
 */
export class RunSpanPages {
  readonly #envelope: SpanEnvelope;
  readonly #spansOfPage: number;
  readonly #pageBytes: number;
  readonly #encoder = new RunSpanEncoder();
  #size = 0;
  #open: Page | undefined;
  #full: Page[] = [];
  readonly #spare: Page[] = [];
  #isHurried = false;

  constructor(envelope: SpanEnvelope, spansOfPage: number) {
    this.#envelope = envelope;
    this.#spansOfPage = spansOfPage;
    this.#pageBytes = envelope.most + Math.max(LEAST_PAGE_BYTES, spansOfPage * SPAN_BYTES);
  }

  /** Spans that wait. */
  get size(): number {
    return this.#size;
  }

  /** Whether there is enough for a request. */
  get isFull(): boolean {
    return this.#full.length > 0;
  }

  /** @returns false for a span that no page has room for */
  add(run: RunRecord): boolean {
    const most = this.#encoder.most(run);
    if (this.#envelope.most + most > this.#pageBytes) return false;
    if (this.#open !== undefined && this.#open.end + most > this.#pageBytes) this.#close(this.#open);
    this.#open ??= this.#spare.pop() ?? this.#newPage();
    const page = this.#open;
    page.end = this.#encoder.write(run, page.bytes, page.end);
    page.count++;
    this.#size++;
    if (page.count === this.#spansOfPage) this.#close(page);
    return true;
  }

  /** The next request, if a page is full or a {@link hurry} is on. */
  take(): PageBatch | undefined {
    if (!this.isFull && this.#isHurried && this.#open !== undefined) this.#close(this.#open);
    const page = this.#full.shift();
    if (page === undefined) return undefined;
    const { bytes, count, end } = page;
    this.#size -= count;
    const spansAt = this.#envelope.most;
    const start = this.#envelope.write(bytes, spansAt, end - spansAt);
    return { body: bytes.subarray(start, end), count, page };
  }

  /** Nobody needs a request any more. One that was answered before it was sent in full goes on with other bytes, which nobody reads. */
  release({ page }: Pick<PageBatch, 'page'>): void {
    if (this.#spare.length === MAX_SPARE) return;
    page.count = 0;
    page.end = this.#envelope.most;
    this.#spare.push(page);
  }

  /** What waits now may be taken, however little it is. */
  hurry(): void {
    this.#isHurried = this.#open !== undefined;
  }

  /** Throws the oldest full page away; returns how many spans that were. */
  dropOldest(): number {
    const page = this.#full.shift();
    if (page === undefined) return 0;
    const { count } = page;
    this.#size -= count;
    this.release({ page });
    return count;
  }

  /** Throws everything away. */
  clear(): void {
    this.#full = [];
    this.#open = undefined;
    this.#size = 0;
  }

  #newPage(): Page {
    return { bytes: Buffer.allocUnsafeSlow(this.#pageBytes), count: 0, end: this.#envelope.most };
  }

  #close(page: Page): void {
    this.#open = undefined;
    this.#isHurried = false;
    this.#full.push(page);
  }
}
