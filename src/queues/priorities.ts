import { age, readyFields, readySince } from './job-list.ts';
import { elements, integer, text } from './reply.ts';
import type { Poll, Reading } from './system.ts';

/** Score of a prioritized job: priority × 2^32 + a counter, so that within a class the oldest comes first. */
const CLASS = 2 ** 32;
/** Classes with a series of their own. */
const MAX_LABELS = 16;
/** Classes whose age is kept at all. */
const MAX_CLASSES = 1000;

/**
 * The classes of a BullMQ queue's `prioritized` set, one looked at a turn. The head of the set is the job of the highest priority, not
 * the oldest: in a queue that cannot keep up, the lowest class starves behind it.
 */
export class Priorities {
  readonly #set: string;
  readonly #jobs: string;
  /** Age of the oldest job of each class when it was last looked at, s; undefined where it is unknown. */
  readonly #ages = new Map<number, number | undefined>();
  readonly #labelled = new Set<number>();
  #next = 0;

  /** @param jobs what the keys of the queue, and of its jobs, begin with */
  constructor(jobs: string) {
    this.#jobs = jobs;
    this.#set = `${jobs}prioritized`;
  }

  /** Age of the oldest of all classes that are known, s. */
  get oldest(): number | undefined {
    let oldest: number | undefined;
    for (const seconds of this.#ages.values())
      if (seconds !== undefined && seconds > (oldest ?? -1)) oldest = seconds;
    return oldest;
  }

  /** Three commands. */
  *look(nowMs: number): Poll<void> {
    const [from, last] = yield [
      ['ZRANGEBYSCORE', this.#set, this.#next * CLASS, '+inf', 'WITHSCORES', 'LIMIT', 0, 1],
      ['ZRANGE', this.#set, -1, -1, 'WITHSCORES'],
    ];
    if (!Array.isArray(from) || !Array.isArray(last)) return;
    const lowest = classOf(elements(last)[1]);
    const found = classOf(elements(from)[1]);
    this.#forget(this.#next, found ?? Number.POSITIVE_INFINITY);
    if (lowest !== undefined) this.#forget(lowest + 1, Number.POSITIVE_INFINITY);
    const id = text(elements(from)[0]);
    this.#next = found === undefined || found === lowest ? 0 : found + 1;
    if (found === undefined || id === undefined) return;
    const [job] = yield [readyFields(this.#jobs, id)];
    const since = readySince(job);
    if (this.#ages.has(found) || this.#ages.size < MAX_CLASSES)
      this.#ages.set(found, since === undefined ? undefined : age(nowMs, since));
    if (this.#labelled.size < MAX_LABELS) this.#labelled.add(found);
  }

  readings(): Reading[] {
    const readings: Reading[] = [];
    for (const [priority, value] of this.#ages) {
      if (value === undefined || !this.#labelled.has(priority)) continue;
      const attributes = { 'queue.priority': String(priority) };
      readings.push({ metric: 'queue.priority.oldest', attributes, value });
    }
    return readings;
  }

  clear(): void {
    this.#ages.clear();
    this.#next = 0;
  }

  /** Classes from `low` to before `high` have no jobs any more. */
  #forget(low: number, high: number): void {
    for (const known of this.#ages.keys()) if (known >= low && known < high) this.#ages.delete(known);
  }
}

function classOf(score: Parameters<typeof integer>[0]): number | undefined {
  const value = integer(score);
  return value === undefined ? undefined : Math.floor(value / CLASS);
}
