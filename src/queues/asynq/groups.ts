import { elements, integer, text } from '../reply.ts';
import type { Command, QueueRef, Reply } from '../system.ts';
import { queueKey } from './keys.ts';

/** Groups whose tasks are counted in one go: all of them, or so many at random. */
const SAMPLE = 10;
/** Sizes that an estimate is made of: those of the last samples. */
const REMEMBERED = 50;

/**
 * How many tasks wait in groups to be put together. asynq's own tools ask every group for it, of which there may be hundreds of thousands.
 * Here a few are asked in each poll: where there are fewer than ten the sum is exact, else it is estimated by the mean of a random sample.
 */
export class Groups {
  readonly #queue: QueueRef;
  #count: number | undefined;
  /** Whether other groups are to be counted next. */
  #isDue = false;
  /** Groups still to be asked, and the sizes of those that were. */
  #open: string[] = [];
  #sizes: number[] = [];
  /** Whether these are all groups of the queue. */
  #isWhole = false;
  #exact: number | undefined;
  #remembered: number[] = [];

  constructor(queue: QueueRef) {
    this.#queue = queue;
  }

  /** How many groups there are. */
  get count(): number | undefined {
    return this.#count;
  }

  /** Tasks in all groups; undefined where there are too many groups, or they are not yet counted. */
  get exact(): number | undefined {
    return this.#exact;
  }

  /** Tasks in all groups, where there are too many to count them. */
  get estimate(): number | undefined {
    if (this.#count === undefined || this.#remembered.length === 0) return undefined;
    const mean = this.#remembered.reduce((sum, size) => sum + size, 0) / this.#remembered.length;
    return Math.round(mean * this.#count);
  }

  /** Takes the number of groups. */
  counted(count: number | undefined): void {
    if (count === 0) {
      this.#open = [];
      this.#remembered = [];
      this.#exact = 0;
    } else if (count === undefined || this.#count === 0) this.#exact = undefined;
    this.#count = count;
    this.#isDue = (count ?? 0) > 0;
  }

  /** What to ask now, `limit` commands at most. */
  commands(limit: number): Command[] {
    if (this.#open.length > 0)
      return this.#open.slice(0, limit).map((group) => ['ZCARD', queueKey(this.#queue, `g:${group}`)]);
    return this.#isDue && limit > 0 ? [['SRANDMEMBER', queueKey(this.#queue, 'groups'), SAMPLE]] : [];
  }

  /** Takes the answers to `commands`. */
  take(replies: readonly Reply[]): void {
    if (replies.length === 0) return;
    if (this.#open.length === 0) {
      this.#begin(replies[0]);
      return;
    }
    this.#open.splice(0, replies.length);
    for (const reply of replies) {
      const size = integer(reply);
      if (size === undefined) this.#isWhole = false;
      else this.#sizes.push(size);
    }
    if (this.#open.length === 0) this.#end();
  }

  #begin(names: Reply | undefined): void {
    this.#isDue = false;
    this.#sizes = [];
    this.#open = elements(names).flatMap((name) => text(name) ?? []);
    this.#isWhole = this.#open.length < SAMPLE;
  }

  #end(): void {
    // One that is empty by now has left the queue's set.
    const sizes = this.#sizes.filter((size) => size > 0);
    this.#exact = this.#isWhole ? sizes.reduce((sum, size) => sum + size, 0) : undefined;
    this.#remembered = this.#isWhole ? [] : [...this.#remembered, ...sizes].slice(-REMEMBERED);
  }
}
