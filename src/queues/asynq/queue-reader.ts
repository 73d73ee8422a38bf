import { elements, integer, text } from '../reply.ts';
import type { Command, Poll, QueueReader, QueueRef, Reading, Reply } from '../system.ts';
import { queueKey } from './keys.ts';
import { PendingTail } from './pending-tail.ts';

/** Commands of the second round: with the first six, ten at most. */
const SECOND_ROUND = 4;
/** Times of pending tasks that a poll asks for. */
const TIMES = 2;

/**
 * Reads one queue of asynq. Sizes, counters and the end of the list in every poll; what changes slowly (completed and archived tasks,
 * groups, the tasks due first) takes turns for the commands that are left, and is at most five polls old.
 */
export class AsynqQueueReader implements QueueReader {
  readonly #queue: QueueRef;
  readonly #tail: PendingTail;
  readonly #chores: readonly Chore[];
  #turn = 0;
  /** Before asynq 0.20 there were neither totals nor leases, but counts of the day. */
  #old = false;

  constructor(queue: QueueRef) {
    this.#queue = queue;
    this.#tail = new PendingTail(queue);
    this.#chores = [
      head(queue, 'scheduled'),
      head(queue, 'retry'),
      card(queue, 'archived'),
      groups(queue),
      card(queue, 'completed'),
    ];
  }

  *poll(nowMs: number): Poll<readonly Reading[]> {
    const key = (part: string) => queueKey(this.#queue, part);
    const day = new Date(nowMs).toISOString().slice(0, 10);
    const counters = ['paused', 'processed', 'failed', `processed:${day}`, `failed:${day}`].map(key);
    const [pending, active, scheduled, retry, texts, tail] = yield [
      ['LLEN', key('pending')],
      ['LLEN', key('active')],
      ['ZCARD', key('scheduled')],
      ['ZCARD', key('retry')],
      ['MGET', ...counters],
      this.#tail.command(),
    ];
    const [paused, processed, failed, processedToday, failedToday] = elements(texts);
    this.#old ||= integer(processed) === undefined && integer(processedToday) !== undefined;

    const counted = [processed, failed, processedToday].some((value) => integer(value) !== undefined);
    const empty = !counted && [pending, active, scheduled, retry].every((size) => size === 0);

    const ids = this.#tail.read(tail, TIMES);
    const now = Math.floor(nowMs / 1000);
    const lease: Command[] = active === 0 || this.#old ? [] : [['ZCOUNT', key('lease'), '-inf', now]];
    const member: Command[] = empty ? [['SISMEMBER', `${this.#queue.prefix}:queues`, this.#queue.name]] : [];
    const chores = this.#next(SECOND_ROUND - ids.length - lease.length - member.length);
    const replies = yield [
      ...chores.map(({ command }) => command),
      ...ids.map((id) => this.#tail.ask(id)),
      ...lease,
      ...member,
    ];
    for (const [i, chore] of chores.entries()) chore.take(replies[i], nowMs);
    for (const [i, id] of ids.entries()) this.#tail.answer(id, replies[chores.length + i]);
    const last = replies.at(-1);
    if (empty && last === 0) return [];

    const readings: Reading[] = [];
    const put = (
      metric: Reading['metric'],
      value: number | undefined,
      attributes: Reading['attributes'] = {},
    ) => {
      if (value !== undefined) readings.push({ metric, attributes, value });
    };
    const depth = (state: string, value: number | undefined) =>
      put('queue.depth', value, { 'queue.state': state });
    const [dueScheduled, dueRetry, archived, groupCount, completed] = this.#chores.map(({ value }) =>
      value(),
    );
    depth('ready', integer(pending));
    depth('active', integer(active));
    depth('scheduled', integer(scheduled));
    depth('retry', integer(retry));
    depth('dead', archived);
    depth('completed', completed);
    put('queue.groups', groupCount);
    const since = this.#tail.oldest();
    put(
      'queue.ready.oldest',
      pending === 0 ? 0 : since === undefined ? undefined : Math.max(0, nowMs - since) / 1000,
    );
    put('queue.scheduled.overdue', latest(dueScheduled, dueRetry));
    put('queue.active.orphaned', active === 0 ? 0 : lease.length > 0 ? integer(last) : undefined);
    put('queue.tasks.processed', integer(processed) ?? integer(processedToday));
    put('queue.tasks.failed', integer(failed) ?? integer(failedToday));
    put(
      'queue.paused',
      texts instanceof Error || texts === undefined ? undefined : text(paused) === undefined ? 0 : 1,
    );
    return readings;
  }

  #next(count: number): Chore[] {
    return Array.from({ length: count }, () => this.#chores[this.#turn++ % this.#chores.length]!);
  }
}

/** A figure that is read in turn. */
interface Chore {
  readonly command: Command;
  take(reply: Reply | undefined, nowMs: number): void;
  value(): number | undefined;
}

function chore(
  command: Command,
  read: (reply: Reply | undefined, nowMs: number) => number | undefined,
): Chore {
  let value: number | undefined;
  return {
    command,
    take(reply, nowMs) {
      value = read(reply, nowMs);
    },
    value: () => value,
  };
}

function card(queue: QueueRef, part: string): Chore {
  return chore(['ZCARD', queueKey(queue, part)], integer);
}

function groups(queue: QueueRef): Chore {
  return chore(['SCARD', queueKey(queue, 'groups')], integer);
}

/** Seconds for which the task that is due first has been due. */
function head(queue: QueueRef, part: string): Chore {
  return chore(['ZRANGE', queueKey(queue, part), 0, 0, 'WITHSCORES'], (reply, nowMs) => {
    if (reply === undefined || reply instanceof Error) return undefined;
    const due = integer(elements(reply)[1]);
    return due === undefined ? 0 : Math.max(0, nowMs / 1000 - due);
  });
}

function latest(...values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === values.length ? Math.max(...known) : undefined;
}
