import { elements, integer, text } from '../reply.ts';
import type { Command, Poll, QueueReader, QueueRef, Reading, Reply } from '../system.ts';
import { queueKey } from './keys.ts';
import { PendingTail } from './pending-tail.ts';
import { card, groups, head, type SlowFigure } from './slow-figures.ts';

/** Commands of the second round: with the first six, ten at most. */
const SECOND_ROUND = 4;
/** Times of pending tasks, and figures that change slowly, that a poll asks for. */
const TIMES = 2;
const SLOW = 2;

/**
 * Reads one queue of asynq. Sizes, counters and the end of the list in every poll; what changes slowly (completed and archived tasks,
 * groups, the tasks due first) takes turns for the commands that are left, and is at most five polls old.
 */
export class AsynqQueueReader implements QueueReader {
  readonly #queue: QueueRef;
  readonly #tail: PendingTail;
  readonly #due: Readonly<Record<'scheduled' | 'retry', SlowFigure>>;
  readonly #others: Readonly<Record<'archived' | 'groups' | 'completed', SlowFigure>>;
  /** All of them, the one read longest ago first. */
  #turns: readonly SlowFigure[];
  /** Before asynq 0.20 there were neither totals nor leases, but counts of the day. */
  #old = false;

  constructor(queue: QueueRef) {
    this.#queue = queue;
    this.#tail = new PendingTail(queue);
    this.#due = { scheduled: head(queue, 'scheduled'), retry: head(queue, 'retry') };
    this.#others = {
      archived: card(queue, 'archived'),
      groups: groups(queue),
      completed: card(queue, 'completed'),
    };
    this.#turns = [...Object.values(this.#due), ...Object.values(this.#others)];
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
    const left = SECOND_ROUND - ids.length - lease.length - member.length;
    const slow = this.#next(Math.min(SLOW, left), scheduled, retry);
    const replies = yield [
      ...slow.map(({ command }) => command),
      ...ids.map((id) => this.#tail.ask(id)),
      ...lease,
      ...member,
    ];
    for (const [i, figure] of slow.entries()) figure.take(replies[i], nowMs);
    for (const [i, id] of ids.entries()) this.#tail.answer(id, replies[slow.length + i]);
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
    depth('ready', integer(pending));
    depth('active', integer(active));
    depth('scheduled', integer(scheduled));
    depth('retry', integer(retry));
    depth('dead', this.#others.archived.value());
    depth('completed', this.#others.completed.value());
    put('queue.groups', this.#others.groups.value());
    const since = this.#tail.oldest();
    put(
      'queue.ready.oldest',
      pending === 0 ? 0 : since === undefined ? undefined : Math.max(0, nowMs - since) / 1000,
    );
    put('queue.scheduled.overdue', latest(this.#due.scheduled.value(), this.#due.retry.value()));
    put('queue.active.orphaned', active === 0 ? 0 : lease.length > 0 ? integer(last) : undefined);
    put('queue.tasks.processed', integer(processed) ?? integer(processedToday));
    put('queue.tasks.failed', integer(failed) ?? integer(failedToday));
    put(
      'queue.paused',
      texts instanceof Error || texts === undefined ? undefined : text(paused) === undefined ? 0 : 1,
    );
    return readings;
  }

  /** The figures whose turn it is. In an empty set nothing is due, and nothing needs to be asked. */
  #next(count: number, scheduled: Reply | undefined, retry: Reply | undefined): SlowFigure[] {
    if (scheduled === 0) this.#due.scheduled.set(0);
    if (retry === 0) this.#due.retry.set(0);
    const needless = [scheduled === 0 && this.#due.scheduled, retry === 0 && this.#due.retry];
    const next = this.#turns.filter((figure) => !needless.includes(figure)).slice(0, count);
    this.#turns = [...this.#turns.filter((figure) => !next.includes(figure)), ...next];
    return next;
  }
}

function latest(...values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === values.length ? Math.max(...known) : undefined;
}
