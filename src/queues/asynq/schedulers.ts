import { elements, text } from '../reply.ts';
import type { Poll } from '../system.ts';
import { decodeSchedulerEntry, type SchedulerEntry } from './messages.ts';

const MAX_SCHEDULERS = 50;
const MAX_ENTRIES = 200;
/** Schedulers write their entries every few seconds: they are read in every third poll. */
const EVERY = 3;

/** Periodic tasks of the schedulers that show signs of life. Undefined until read, or when they cannot be. */
export class Schedulers {
  readonly #prefix: string;
  #entries: readonly (readonly SchedulerEntry[])[] | undefined;
  #polls = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** By scheduler. */
  get entries(): readonly (readonly SchedulerEntry[])[] | undefined {
    return this.#entries;
  }

  *poll(nowMs: number): Poll<void> {
    if (this.#polls++ % EVERY > 0) return;
    this.#entries = undefined;
    const now = Math.floor(nowMs / 1000);
    const key = `${this.#prefix}:schedulers`;
    const [list] = yield [['ZREVRANGEBYSCORE', key, '+inf', now, 'LIMIT', 0, MAX_SCHEDULERS]];
    if (!Array.isArray(list)) return;
    const members = elements(list)
      .flatMap((member) => text(member) ?? [])
      .filter((member) => member.startsWith(`${key}:`));
    const lists =
      members.length === 0
        ? []
        : yield members.map((member) => ['LRANGE', member, 0, MAX_ENTRIES - 1] as const);
    this.#entries = lists
      .map((entries) =>
        elements(entries).flatMap((entry) =>
          Buffer.isBuffer(entry) ? (decodeSchedulerEntry(entry) ?? []) : [],
        ),
      )
      .filter((entries) => entries.length > 0);
  }
}
