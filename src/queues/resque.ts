import { age, depth, reading } from './job-list.ts';
import { elements, integer, scanned, text } from './reply.ts';
import type {
  Command,
  Discovery,
  DiscoveryStep,
  InstanceReader,
  InstanceReading,
  Poll,
  QueueReader,
  QueueRef,
  QueueSystem,
  Reading,
} from './system.ts';

/** Names that one step of the search passes, and workers that are looked at. */
const COUNT = 100;

/** node-resque, and Ruby's Resque, which has the same layout. */
export const resque: QueueSystem = {
  name: 'node-resque',
  prefix: 'resque',
  discovery: (prefix) => new QueueNames(prefix),
  reader: (queue) => new ResqueReader(queue),
  instance: (prefix) => new Totals(prefix),
};

/** Two commands. What is queued holds no time, so that ages are unknown. */
class ResqueReader implements QueueReader {
  readonly #queue: QueueRef;

  constructor(queue: QueueRef) {
    this.#queue = queue;
  }

  *poll(): Poll<readonly Reading[]> {
    const { prefix, name } = this.#queue;
    const [length, member] = yield [
      ['LLEN', `${prefix}:queue:${name}`],
      ['SISMEMBER', `${prefix}:queues`, name],
    ];
    const size = integer(length);
    if (size === undefined || (size === 0 && member === 0)) return [];
    return [depth('ready', size)];
  }
}

/** Failed jobs, counters and delayed jobs are kept for all queues together. */
class Totals implements InstanceReader {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  *poll(nowMs: number): Poll<readonly InstanceReading[]> {
    const prefix = this.#prefix;
    const [processed, failed, dead, due, page] = yield [
      ['GET', `${prefix}:stat:processed`],
      ['GET', `${prefix}:stat:failed`],
      ['LLEN', `${prefix}:failed`],
      ['ZRANGE', `${prefix}:delayed_queue_schedule`, 0, 0, 'WITHSCORES'],
      ['SSCAN', `${prefix}:workers`, 0, 'COUNT', COUNT],
    ];
    const workers = scanned(page);
    // A Redis without Resque is said nothing of.
    const isThere = processed !== null || failed !== null || dead !== 0 || workers?.found.length !== 0;
    if (!isThere && elements(due).length === 0) return [];
    const readings: InstanceReading[] = [];
    const add = (metric: Reading['metric'], value: number | undefined): void => {
      if (value !== undefined) readings.push(reading(metric, value));
    };
    // Ended well, and not: node-resque counts a failure in one of them alone.
    const [ended, lost] = [integer(processed), integer(failed)];
    if (ended !== undefined || lost !== undefined) {
      add('queue.tasks.processed', (ended ?? 0) + (lost ?? 0));
      add('queue.tasks.failed', lost ?? 0);
    }
    const lostForGood = integer(dead);
    if (lostForGood !== undefined) readings.push(depth('dead', lostForGood));
    if (Array.isArray(due)) {
      const seconds = integer(elements(due)[1]);
      add('queue.scheduled.overdue', seconds === undefined ? 0 : age(nowMs, seconds * 1000));
    }
    readings.push(...(yield* this.#workers(workers)));
    return readings;
  }

  /** Workers of each queue, where there are few enough to be listed in one step; busy ones have a key. */
  *#workers(page: ReturnType<typeof scanned>): Poll<readonly InstanceReading[]> {
    if (page === undefined || page.cursor !== '0') return [];
    const names = page.found.flatMap((name) => text(name) ?? []);
    const counts = new Map<string, number>();
    for (const name of names)
      for (const queue of name.slice(name.lastIndexOf(':') + 1).split(','))
        counts.set(queue, (counts.get(queue) ?? 0) + 1);
    const readings: InstanceReading[] = [...counts].map(([name, count]) => ({
      ...reading('queue.workers', count),
      queue: { prefix: this.#prefix, name },
    }));
    if (names.length === 0) return [...readings, depth('active', 0)];
    const busy: Command = ['EXISTS', ...names.map((name) => `${this.#prefix}:worker:${name}`)];
    const [reply] = yield [busy];
    const active = integer(reply);
    return active === undefined ? readings : [...readings, depth('active', active)];
  }
}

class QueueNames implements Discovery {
  readonly #prefix: string;
  #cursor = '0';

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  *step(): Poll<DiscoveryStep> {
    const [reply] = yield [['SSCAN', `${this.#prefix}:queues`, this.#cursor, 'COUNT', COUNT]];
    const page = scanned(reply);
    if (page === undefined) return { found: [], complete: false };
    this.#cursor = page.cursor;
    const found = page.found.flatMap((name) => ({ prefix: this.#prefix, name: text(name) ?? '' }));
    return { found, complete: page.cursor === '0' };
  }
}
