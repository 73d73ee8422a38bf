import { elements, integer, text } from '../reply.ts';
import type { Command, Poll, Reply } from '../system.ts';
import { type Flights, readFlights } from './flights.ts';
import { decodeServer, type ServerInfo } from './messages.ts';
import type { TypeNames } from './type-names.ts';

const MAX_SERVERS = 500;
/** A server writes its end of life 10 s ahead by its own clock. Members that lapsed longer ago than this are not looked at. */
const LOOK_BACK_S = 3600;
/** Polls after which clocks are compared and descriptions of tasks are read again. */
const AGAIN_EVERY = 12;
/** A clock that differs by less is right. */
const NO_DIFFERENCE_MS = 2000;

/** One asynq server: a process has one of them as a rule. */
export interface Server {
  /** Key of its description; the rest of it is `host:pid:uuid` in braces. */
  readonly key: string;
  readonly info: ServerInfo;
  /** Its clock minus that of Redis, in ms, within a second. */
  readonly clockMs: number;
  /** Undefined when they are too many, or could not be read. */
  readonly flights: Flights | undefined;
}

/** How a server that was there at the last poll has changed; `now` is undefined when it has gone. */
export interface Change {
  readonly before: Server;
  readonly now: Server | undefined;
}

/** The servers that show signs of life. */
export class Fleet {
  readonly #prefix: string;
  readonly #names: TypeNames;
  #servers = new Map<string, Server>();
  /** Score of members whose description has gone: they stay in the list until somebody else clears it. */
  #lapsed = new Map<string, number>();
  #polls = 0;

  constructor(prefix: string, names: TypeNames) {
    this.#prefix = prefix;
    this.#names = names;
  }

  get servers(): readonly Server[] {
    return [...this.#servers.values()];
  }

  /** @returns what became of the servers of the last poll; undefined when the list could not be read */
  *poll(nowMs: number): Poll<readonly Change[] | undefined> {
    const since = Math.floor(nowMs / 1000) - LOOK_BACK_S;
    const limit = ['LIMIT', 0, MAX_SERVERS, 'WITHSCORES'] as const;
    const [list] = yield [['ZREVRANGEBYSCORE', `${this.#prefix}:servers`, '+inf', since, ...limit]];
    if (!Array.isArray(list)) return undefined;
    const members = this.#membersOf(list);
    const again = this.#polls++ % AGAIN_EVERY === 0;
    const asks = (key: string) => again || !this.#servers.has(key);
    const replies =
      members.size === 0
        ? []
        : yield [...members.keys()].flatMap((key): Command[] =>
            asks(key)
              ? [
                  ['GET', key],
                  ['PTTL', key],
                ]
              : [['GET', key]],
          );

    const next: Omit<Server, 'flights'>[] = [];
    const lapsed = new Map([...this.#lapsed].filter(([key, score]) => score >= since && !members.has(key)));
    let at = 0;
    for (const [key, score] of members) {
      const description = replies[at++];
      const left = asks(key) ? integer(replies[at++]) : undefined;
      const before = this.#servers.get(key);
      if (description === null) lapsed.set(key, score);
      const info = Buffer.isBuffer(description) ? decodeServer(description) : before?.info;
      if (description === null || info === undefined) continue;
      const clockMs =
        left === undefined || left < 0 ? (before?.clockMs ?? 0) : difference(score, nowMs + left);
      next.push({ key, info, clockMs });
    }
    const flights = yield* readFlights(
      next.map(({ key, info }) => ({
        key: key.replace(':servers:', ':workers:'),
        activeWorkers: info.activeWorkers,
        before: this.#servers.get(key)?.flights ?? new Map(),
        again,
      })),
      this.#names,
    );
    const previous = this.#servers;
    this.#lapsed = lapsed;
    this.#servers = new Map(next.map((server, i) => [server.key, { ...server, flights: flights[i] }]));
    return [...previous].map(([key, before]) => ({ before, now: this.#servers.get(key) }));
  }

  #membersOf(list: Reply): Map<string, number> {
    const members = new Map<string, number>();
    const items = elements(list);
    for (let i = 0; i < items.length; i += 2) {
      const key = text(items[i]);
      const score = integer(items[i + 1]);
      if (
        key?.startsWith(`${this.#prefix}:servers:`) &&
        score !== undefined &&
        this.#lapsed.get(key) !== score
      )
        members.set(key, score);
    }
    return members;
  }
}

/** The score is the end of life by the server's clock in whole seconds, the key ends at `endMs` by that of Redis. */
function difference(score: number, endMs: number): number {
  const ms = score * 1000 + 500 - endMs;
  return Math.abs(ms) <= NO_DIFFERENCE_MS ? 0 : ms;
}
