import { age, depth, endsOf, inFlight, overdue, reading, sizes } from './job-list.ts';
import { KeyScan } from './key-scan.ts';
import { integer } from './reply.ts';
import type {
  Discovery,
  DiscoveryStep,
  Poll,
  QueueReader,
  QueueRef,
  QueueSystem,
  Reading,
} from './system.ts';
import { together } from './together.ts';

/** Bull 4 and 3: the predecessor of BullMQ, under the same prefix. */
export const bull: QueueSystem = {
  name: 'bull',
  prefix: 'bull',
  discovery: (prefix) => new IdScan(prefix),
  reader: (queue) => new BullReader(queue),
};

/**
 * Seven commands at every poll and three that change from poll to poll, as for BullMQ. Jobs with a priority are in the list of waiting
 * jobs, in order; which of them is the oldest of its class cannot be asked.
 */
class BullReader implements QueueReader {
  readonly #key: string;
  readonly #known: (readonly Reading[])[] = [];
  #turn = 0;
  #paused = false;
  #exists = true;

  constructor({ prefix, name }: QueueRef) {
    this.#key = `${prefix}:${name}:`;
  }

  *poll(nowMs: number): Poll<readonly Reading[]> {
    const turns = [
      () => this.#later(nowMs),
      () => this.#state(),
      () => inFlight(this.#key, nowMs),
      () => this.#ended(),
    ];
    const at = this.#turn++ % turns.length;
    const [now, slow] = yield* together([this.#ready(nowMs), turns[at]!()]);
    this.#known[at] = slow;
    const readings = [...now, ...this.#known.flat()];
    const empty = readings.every(({ metric, value }) => metric !== 'queue.depth' || value === 0);
    return empty && !this.#exists ? [] : readings;
  }

  /** A paused queue's waiting jobs are in the list `paused`. */
  *#ready(nowMs: number): Poll<readonly Reading[]> {
    const [list, other] = this.#paused ? (['paused', 'wait'] as const) : (['wait', 'paused'] as const);
    const [ends, [active, rest]] = yield* together([
      endsOf(this.#key, list),
      counted([`${this.#key}active`, this.#key + other]),
    ]);
    const readings: Reading[] = [];
    if (active !== undefined) readings.push(depth('active', active));
    if (ends.length === undefined || rest === undefined) return readings;
    readings.push(depth('ready', ends.length + rest));
    if (ends.sinceMs !== undefined) readings.push(reading('queue.ready.oldest', age(nowMs, ends.sinceMs)));
    else if (ends.length + rest === 0) readings.push(reading('queue.ready.oldest', 0));
    return readings;
  }

  *#later(nowMs: number): Poll<readonly Reading[]> {
    const delayed = sizes([['scheduled', ['ZCARD', `${this.#key}delayed`]]]);
    return (yield* together([overdue(this.#key, nowMs), delayed])).flat();
  }

  *#state(): Poll<readonly Reading[]> {
    const [paused, id] = yield [
      ['EXISTS', `${this.#key}meta-paused`],
      ['GET', `${this.#key}id`],
    ];
    const readings: Reading[] = [];
    const isPaused = integer(paused);
    if (isPaused !== undefined) readings.push(reading('queue.paused', isPaused));
    this.#paused = isPaused === 1;
    const added = integer(id);
    if (added !== undefined) readings.push(reading('queue.tasks.enqueued', added));
    this.#exists = added !== undefined || this.#paused || id instanceof Error;
    return readings;
  }

  #ended(): Poll<readonly Reading[]> {
    return sizes([
      ['dead', ['ZCARD', `${this.#key}failed`]],
      ['completed', ['ZCARD', `${this.#key}completed`]],
    ]);
  }
}

function* counted(lists: readonly string[]): Poll<(number | undefined)[]> {
  return (yield lists.map((list) => ['LLEN', list])).map(integer);
}

/** A queue has a counter of ids. BullMQ's have too, and events besides. (Bull itself writes BullMQ's `meta`.) */
class IdScan implements Discovery {
  readonly #prefix: string;
  readonly #keys: KeyScan;

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.#keys = new KeyScan(prefix, 'id', 'string');
  }

  *step(): Poll<DiscoveryStep> {
    const { names, complete } = yield* this.#keys.step();
    if (names.length === 0) return { found: [], complete };
    const others = yield names.map((name) => {
      const key = `${this.#prefix}:${name}:`;
      return ['EXISTS', `${key}events`, `${key}marker`];
    });
    const found = names.filter((_, at) => others[at] === 0).map((name) => ({ prefix: this.#prefix, name }));
    return { found, complete };
  }
}
