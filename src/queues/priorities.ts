import { age, readyFields, readySince } from './job-list.ts';
import { elements, integer, text } from './reply.ts';
import type { Poll, Reading } from './system.ts';

/** Score of a prioritized job: priority × 2^32 + a counter, so that within a class the oldest comes first. */
const CLASS = 2 ** 32;
/** Classes with a series of their own. */
const MAX_LABELS = 16;
/** Classes whose age is kept at all. */
const MAX_CLASSES = 1000;

/** What was seen when a class was last looked at. */
interface Look {
  /** Since when its oldest job has been ready; undefined where that is unknown. */
  readonly sinceMs: number | undefined;
  readonly atMs: number;
  readonly look: number;
}

/**
 * The classes of a BullMQ queue's `prioritized` set, one looked at a turn. The head of the set is the job of the highest priority, not
 * the oldest: in a queue that cannot keep up, the lowest class starves behind it.
 */
export class Priorities {
  readonly #set: string;
  readonly #jobs: string;
  readonly #classes = new Map<number, Look>();
  readonly #labelled = new Set<number>();
  #next = 0;
  #looks = 0;

  /** @param jobs what the keys of the queue, and of its jobs, begin with */
  constructor(jobs: string) {
    this.#jobs = jobs;
    this.#set = `${jobs}prioritized`;
  }

  /** Age of the oldest of all classes that are known, s. */
  oldest(nowMs: number): number | undefined {
    let oldest: number | undefined;
    for (const look of this.#classes.values()) {
      const seconds = this.#age(look, nowMs);
      if (seconds !== undefined && seconds > (oldest ?? -1)) oldest = seconds;
    }
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
    const seen = { sinceMs: readySince(job), atMs: nowMs, look: ++this.#looks };
    if (this.#classes.has(found) || this.#classes.size < MAX_CLASSES) this.#classes.set(found, seen);
    if (this.#labelled.size < MAX_LABELS) this.#labelled.add(found);
  }

  readings(nowMs: number): Reading[] {
    const readings: Reading[] = [];
    for (const [priority, look] of this.#classes) {
      const value = this.#age(look, nowMs);
      if (value === undefined || !this.#labelled.has(priority)) continue;
      const attributes = { 'queue.priority': String(priority) };
      readings.push({ metric: 'queue.priority.oldest', attributes, value });
    }
    return readings;
  }

  clear(): void {
    this.#classes.clear();
    this.#next = 0;
  }

  /** Its job has been there a moment ago, or nobody knows: then the age is what it was. */
  #age({ sinceMs, atMs, look }: Look, nowMs: number): number | undefined {
    return sinceMs === undefined ? undefined : age(look === this.#looks ? nowMs : atMs, sinceMs);
  }

  /** Classes from `low` to before `high` have no jobs any more. */
  #forget(low: number, high: number): void {
    for (const known of this.#classes.keys()) if (known >= low && known < high) this.#classes.delete(known);
  }
}

function classOf(score: Parameters<typeof integer>[0]): number | undefined {
  const value = integer(score);
  return value === undefined ? undefined : Math.floor(value / CLASS);
}
