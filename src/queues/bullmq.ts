import { age, depth, type Ends, endsOf, inFlight, overdue, reading, sizes } from './job-list.ts';
import { KeyScan } from './key-scan.ts';
import { Priorities } from './priorities.ts';
import { elements, integer, text } from './reply.ts';
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
import { together } from './together.ts';

/** More connections than these are not listed: the list is as long. */
const MAX_CLIENTS = 1000;

/** BullMQ 5 and 6 on Redis. */
export const bullmq: QueueSystem = {
  name: 'bullmq',
  prefix: 'bull',
  discovery: (prefix) => new MetaScan(prefix),
  reader: (queue) => new BullMqReader(queue),
  instance: (prefix) => new Workers(prefix),
};

/** A turn of what is not asked at every poll: at most three commands. */
type Turn = (nowMs: number) => Poll<void>;

/**
 * Up to seven commands at every poll, for how much waits and how long; and three that change from poll to poll, for what moves slower. So
 * a queue's every figure is at most four polls old, or eight where jobs wait with a priority and others without.
 */
class BullMqReader implements QueueReader {
  readonly #key: string;
  readonly #priorities: Priorities;
  readonly #turns: readonly Turn[];
  readonly #known = new Map<Turn, readonly Reading[]>();
  #turn = 0;
  /** Whether the last poll looked at a class of priority, and whether no job waited beside those. */
  #looked = false;
  #onlyPriorities = false;
  /** BullMQ 5 moves the waiting jobs into the list `paused`; 6 leaves them where they are. Undefined: nobody has said. */
  #major: number | undefined;
  #paused = false;
  #prioritized: number | undefined;
  /** Whether anything of the queue is there besides jobs. */
  #exists = true;

  constructor({ prefix, name }: QueueRef) {
    this.#key = `${prefix}:${name}:`;
    this.#priorities = new Priorities(this.#key);
    this.#turns = [
      (now) => this.#later(now),
      () => this.#meta(),
      (now) => this.#flight(now),
      () => this.#ended(),
    ];
  }

  *poll(nowMs: number): Poll<readonly Reading[]> {
    const hasPriorities = (this.#prioritized ?? 0) > 0;
    // Where all wait in the set of priorities there is time for it at every poll, else at every second.
    const looks = hasPriorities && (this.#onlyPriorities || !this.#looked);
    const turns = !looks || this.#onlyPriorities;
    const [lists] = yield* together([
      this.#lists(hasPriorities && this.#onlyPriorities),
      looks ? this.#priorities.look(nowMs) : nothing(),
      turns ? this.#turns[this.#turn++ % this.#turns.length]!(nowMs) : nothing(),
    ]);
    this.#looked = looks;
    this.#onlyPriorities = lists.waiting === 0;
    const readings = [
      ...this.#ready(lists, nowMs),
      ...[...this.#known.values()].flat(),
      ...this.#priorities.readings(nowMs),
    ];
    const empty = readings.every(({ metric, value }) => metric !== 'queue.depth' || value === 0);
    return empty && !this.#exists ? [] : readings;
  }

  /** Sizes, and the ends of the list of waiting jobs unless it was empty: three to seven commands. */
  *#lists(short: boolean): Poll<Lists> {
    const old = this.#major === undefined || this.#major < 6;
    const [list, other] = old && this.#paused ? (['paused', 'wait'] as const) : (['wait', 'paused'] as const);
    const [ends, [active], [rest]] = yield* together([
      short ? lengthOf(this.#key + list) : endsOf(this.#key, list),
      ask([['LLEN', `${this.#key}active`]]),
      ask(old ? [['LLEN', this.#key + other]] : []),
    ]);
    const known = ends.length !== undefined && (!old || rest !== undefined);
    return { active, waiting: known ? ends.length + (rest ?? 0) : undefined, sinceMs: ends.sinceMs };
  }

  #ready({ active, waiting, sinceMs }: Lists, nowMs: number): Reading[] {
    const readings = active === undefined ? [] : [depth('active', active)];
    if (waiting === undefined || this.#prioritized === undefined) return readings;
    readings.push(depth('ready', waiting + this.#prioritized));
    const ages = [sinceMs === undefined ? undefined : age(nowMs, sinceMs), this.#priorities.oldest(nowMs)];
    const known = ages.filter((seconds) => seconds !== undefined);
    if (known.length > 0) readings.push(reading('queue.ready.oldest', Math.max(...known)));
    else if (waiting + this.#prioritized === 0) readings.push(reading('queue.ready.oldest', 0));
    return readings;
  }

  *#later(nowMs: number): Poll<void> {
    const [late, delayed, [prioritized]] = yield* together([
      overdue(this.#key, nowMs),
      sizes([['scheduled', ['ZCARD', `${this.#key}delayed`]]]),
      ask([['ZCARD', `${this.#key}prioritized`]]),
    ]);
    this.#prioritized = prioritized;
    if (prioritized === 0) this.#priorities.clear();
    this.#keep(0, [...late, ...delayed]);
  }

  *#meta(): Poll<void> {
    const [meta, id] = yield [
      ['HMGET', `${this.#key}meta`, 'paused', 'concurrency', 'version'],
      ['GET', `${this.#key}id`],
    ];
    const fields = elements(meta);
    if (fields.length === 0) {
      this.#keep(1, []);
      return;
    }
    const [paused, concurrency, version] = fields;
    this.#paused = integer(paused) === 1;
    const said = /:(\d+)\./.exec(text(version) ?? '')?.[1];
    this.#major = said === undefined ? undefined : Number(said);
    const added = integer(id);
    this.#exists = added !== undefined || fields.some((field) => field !== null);
    const capacity = integer(concurrency);
    this.#keep(1, [
      reading('queue.paused', this.#paused ? 1 : 0),
      ...(capacity === undefined ? [] : [reading('queue.capacity', capacity)]),
      ...(added === undefined ? [] : [reading('queue.tasks.enqueued', added)]),
    ]);
  }

  *#flight(nowMs: number): Poll<void> {
    this.#keep(2, yield* inFlight(this.#key, nowMs));
  }

  *#ended(): Poll<void> {
    this.#keep(
      3,
      yield* sizes([
        ['dead', ['ZCARD', `${this.#key}failed`]],
        ['completed', ['ZCARD', `${this.#key}completed`]],
        ['blocked', ['ZCARD', `${this.#key}waiting-children`]],
      ]),
    );
  }

  #keep(turn: number, readings: readonly Reading[]): void {
    this.#known.set(this.#turns[turn]!, readings);
  }
}

/** How many jobs wait in the lists, how many are in flight, and since when the oldest has waited. */
interface Lists {
  readonly active: number | undefined;
  readonly waiting: number | undefined;
  readonly sinceMs: number | undefined;
}

function* nothing(): Poll<void> {}

function* lengthOf(key: string): Poll<Ends> {
  const [length] = yield [['LLEN', key]];
  return { length: integer(length), sinceMs: undefined };
}

function* ask(commands: readonly Command[]): Poll<(number | undefined)[]> {
  if (commands.length === 0) return [];
  return (yield commands).map(integer);
}

/** A queue has a hash `meta`, and a name without a colon. */
class MetaScan implements Discovery {
  readonly #prefix: string;
  readonly #keys: KeyScan;

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.#keys = new KeyScan(prefix, 'meta', 'hash');
  }

  *step(): Poll<DiscoveryStep> {
    const { names: all, complete } = yield* this.#keys.step();
    const names = all.filter((name) => name !== '' && !name.includes(':'));
    if (names.length === 0) return { found: [], complete };
    // A paused queue of Bull has such a hash too, with nothing but `paused` in it.
    const metas = yield names.map((name) => [
      'HMGET',
      `${this.#prefix}:${name}:meta`,
      'version',
      'opts.maxLenEvents',
    ]);
    const found = names
      .filter((_, at) => elements(metas[at]).some((field) => Buffer.isBuffer(field)))
      .map((name) => ({ prefix: this.#prefix, name }));
    return { found, complete };
  }
}

/** Workers give their connections names: `<prefix>:<queue in base64>`, and `:w:<worker>` where they have one. */
class Workers implements InstanceReader {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  *poll(): Poll<readonly InstanceReading[]> {
    const [info] = yield [['INFO', 'clients']];
    const connected = Number(/connected_clients:(\d+)/.exec(text(info) ?? '')?.[1]);
    // Not known, or too many.
    if (!(connected <= MAX_CLIENTS)) return [];
    const [list] = yield [['CLIENT', 'LIST', 'TYPE', 'NORMAL']];
    const workers = new Map<string, number>();
    for (const [, client] of (text(list) ?? '').matchAll(/ name=(\S+)/g)) {
      if (!client!.startsWith(`${this.#prefix}:`)) continue;
      const [, base64] = /^([A-Za-z0-9+/=]+)(?::w:.*)?$/.exec(client!.slice(this.#prefix.length + 1)) ?? [];
      if (base64 === undefined) continue;
      const name = Buffer.from(base64, 'base64').toString('utf8');
      workers.set(name, (workers.get(name) ?? 0) + 1);
    }
    return [...workers].map(([name, count]) => ({
      ...reading('queue.workers', count),
      queue: { prefix: this.#prefix, name },
    }));
  }
}
