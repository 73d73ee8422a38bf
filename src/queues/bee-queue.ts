import { age, depth, reading } from './job-list.ts';
import { KeyScan } from './key-scan.ts';
import { integer, text } from './reply.ts';
import type {
  Discovery,
  DiscoveryStep,
  Poll,
  QueueReader,
  QueueRef,
  QueueSystem,
  Reading,
} from './system.ts';

/** Moments of arrival that are remembered; every other is let go when there are more. */
const MAX_ARRIVALS = 512;

/** bee-queue 1 and 2. */
export const beeQueue: QueueSystem = {
  name: 'bee-queue',
  prefix: 'bq',
  discovery: (prefix) => new IdScan(prefix),
  reader: (queue) => new BeeReader(queue),
};

/**
 * Ten commands. A job's times are within the text that holds its payload, which is not read. But ids are numbers in the order of adding,
 * so the counter at earlier polls says by when a job was there: ages are lower bounds, counted from the first poll at the earliest.
 */
class BeeReader implements QueueReader {
  readonly #key: string;
  readonly #arrivals = new Arrivals();
  /** The job longest in flight, and when it was first seen there. */
  #active: { id: string; sinceMs: number } | undefined;

  constructor({ prefix, name }: QueueRef) {
    this.#key = `${prefix}:${name}:`;
  }

  *poll(nowMs: number): Poll<readonly Reading[]> {
    const key = this.#key;
    const replies = yield [
      ['LLEN', `${key}waiting`],
      ['LLEN', `${key}active`],
      ['ZCARD', `${key}delayed`],
      ['SCARD', `${key}succeeded`],
      ['SCARD', `${key}failed`],
      ['GET', `${key}id`],
      ['LINDEX', `${key}waiting`, -1],
      ['LINDEX', `${key}active`, -1],
      ['ZRANGE', `${key}delayed`, 0, 0, 'WITHSCORES'],
      ['EXISTS', `${key}jobs`],
    ];
    const [waiting, active, delayed, succeeded, failed, added] = replies.map(integer);
    const [, , , , , , next, oldest, due, jobs] = replies;
    const readings: Reading[] = [];
    const add = (metric: Reading['metric'], value: number | undefined): void => {
      if (value !== undefined) readings.push(reading(metric, value));
    };
    for (const [state, size] of Object.entries({
      ready: waiting,
      active,
      scheduled: delayed,
      completed: succeeded,
      dead: failed,
    }))
      if (size !== undefined) readings.push(depth(state, size));
    if (added !== undefined) this.#arrivals.see(added, nowMs);
    add('queue.tasks.enqueued', added);
    add('queue.ready.oldest', waiting === 0 ? 0 : this.#arrivals.age(Number(text(next)), nowMs));
    add('queue.active.oldest', active === 0 ? 0 : this.#inFlight(text(oldest), nowMs));
    add('queue.scheduled.overdue', overdue(due, nowMs));
    const isThere = [waiting, active, delayed, succeeded, failed].some((size) => size !== 0);
    return isThere || added !== undefined || jobs !== 0 ? readings : [];
  }

  #inFlight(id: string | undefined, nowMs: number): number | undefined {
    if (id === undefined) return undefined;
    if (this.#active?.id !== id) this.#active = { id, sinceMs: nowMs };
    const seconds = age(nowMs, this.#active.sinceMs);
    return seconds === 0 ? undefined : seconds;
  }
}

/** The first of the delayed jobs: its score is the time at which it is due, ms. */
function overdue(due: Parameters<typeof integer>[0], nowMs: number): number | undefined {
  if (!Array.isArray(due)) return undefined;
  const at = integer(due[1]);
  return at === undefined ? 0 : age(nowMs, at);
}

/** By when a job of a certain number was there. */
class Arrivals {
  #seen: { upTo: number; atMs: number }[] = [];

  /** @param upTo the number of the last job that was added */
  see(upTo: number, atMs: number): void {
    const last = this.#seen.at(-1);
    // A counter that has gone back is that of a new queue.
    if (last !== undefined && upTo < last.upTo) this.#seen = [];
    if (last?.upTo !== upTo) this.#seen.push({ upTo, atMs });
    if (this.#seen.length > MAX_ARRIVALS) this.#seen = this.#seen.filter((_, at) => at === 0 || at % 2 === 1);
  }

  /** Least age of a job, s; undefined when nothing can be said of it yet. */
  age(id: number, nowMs: number): number | undefined {
    const seen = this.#seen.find(({ upTo }) => id <= upTo);
    const seconds = seen === undefined ? 0 : age(nowMs, seen.atMs);
    return seconds === 0 ? undefined : seconds;
  }
}

/** A queue has a counter of ids. */
class IdScan implements Discovery {
  readonly #prefix: string;
  readonly #keys: KeyScan;

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.#keys = new KeyScan(prefix, 'id', 'string');
  }

  *step(): Poll<DiscoveryStep> {
    const { names, complete } = yield* this.#keys.step();
    return { found: names.map((name) => ({ prefix: this.#prefix, name })), complete };
  }
}
