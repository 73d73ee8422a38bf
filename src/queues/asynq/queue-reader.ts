import { elements, integer, text } from '../reply.ts';
import type { Command, Poll, QueueReader, QueueRef, Reading, Reply } from '../system.ts';
import { Failures } from './failures.ts';
import { Groups } from './groups.ts';
import { queueKey } from './keys.ts';
import { PendingTail } from './pending-tail.ts';
import { card, groupCount, head, type SlowFigure } from './slow-figures.ts';

/** Commands of a poll, at most. */
const LIMIT = 10;
/** Polls between two looks whether a queue that has no counters has those of an old version. */
const TRY_EVERY = 5;
/** Times of pending tasks that a poll asks for. */
const TIMES = 2;

/**
 * Reads one queue of asynq. Tasks that are pending and active, counters and the end of the list in every poll, tasks for later and retries in every
 * second; what changes slowly (completed and archived tasks, groups, the tasks due first) takes turns, and is at most five polls old. A queue in which nothing new is found costs one round trip.
 */
export class AsynqQueueReader implements QueueReader {
  readonly #queue: QueueRef;
  readonly #tail: PendingTail;
  readonly #groups: Groups;
  readonly #failures: Failures;
  /** What uses the commands that a poll has left, in turns. */
  readonly #spare: [Groups | Failures, Groups | Failures];
  readonly #sizes: Readonly<Record<'scheduled' | 'retry', SlowFigure>>;
  readonly #due: Readonly<Record<'scheduled' | 'retry', SlowFigure>>;
  readonly #others: Readonly<Record<'archived' | 'groups' | 'completed', SlowFigure>>;
  /** All of them, the one read longest ago first. */
  #turns: readonly SlowFigure[];
  /** Figures that are known without asking: nothing is due in an empty set. */
  #needless: readonly SlowFigure[] = [];
  /** Before asynq 0.20 there were neither totals nor leases, but counts of the day. Undefined until a counter is seen. */
  #isOld: boolean | undefined;
  /** Polls before a counter is seen. */
  #polls = 0;
  #isRetryNext = true;
  /** Whether tasks were in flight at the last poll. */
  #isActive = false;

  constructor(queue: QueueRef) {
    this.#queue = queue;
    this.#tail = new PendingTail(queue);
    this.#groups = new Groups(queue);
    this.#failures = new Failures(queue);
    this.#spare = [this.#groups, this.#failures];
    this.#sizes = { scheduled: card(queue, 'scheduled'), retry: card(queue, 'retry') };
    this.#due = { scheduled: head(queue, 'scheduled'), retry: head(queue, 'retry') };
    this.#others = {
      archived: card(queue, 'archived'),
      groups: groupCount(queue, this.#groups),
      completed: card(queue, 'completed'),
    };
    this.#turns = [...Object.values(this.#due), ...Object.values(this.#others)];
  }

  *poll(nowMs: number): Poll<readonly Reading[]> {
    const key = (part: string) => queueKey(this.#queue, part);
    const slow = this.#nextTurn();
    const lease = ['ZCOUNT', key('lease'), '-inf', Math.floor(nowMs / 1000)] as const;
    // Known to be needed: then it need not wait for the second round.
    const isEarly = this.#isActive && this.#isOld !== true;
    const sizes = this.#nextSizes();
    const asked: Command[] = [
      ['LLEN', key('pending')],
      ['LLEN', key('active')],
      ['MGET', ...this.#counters(nowMs).map(key)],
      this.#tail.command(),
      slow.command,
      ...sizes.map(({ command }) => command),
      ...(isEarly ? [lease] : []),
    ];
    const replies = yield asked;
    const [pending, active, texts, tail, turn, ...counted] = replies;
    slow.take(turn, nowMs);
    for (const [at, size] of sizes.entries()) size.take(counted[at], nowMs);
    const scheduled = this.#sizes.scheduled.value();
    const retry = this.#sizes.retry.value();
    this.#settle(scheduled, retry);
    const [paused, ...counts] = elements(texts);
    const [processed, failed] = this.#totals(counts);
    const isUsed = [processed, failed].some((value) => value !== undefined);
    const empty = !isUsed && [pending, active, scheduled, retry].every((size) => size === 0);
    this.#isActive = (integer(active) ?? 0) > 0;

    this.#failures.sized('retry', retry);
    this.#failures.sized('archived', this.#others.archived.value());
    const isLate = this.#isActive && this.#isOld !== true && !isEarly;
    const first: Command[] = isLate ? [lease] : [];
    if (empty) first.push(['SISMEMBER', `${this.#queue.prefix}:queues`, this.#queue.name]);
    const [answer] = yield* this.#secondRound(first, tail, LIMIT - asked.length);
    if (empty && answer === 0) return [];
    const orphaned = isEarly ? replies.at(-1) : isLate ? answer : undefined;

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
    depth('scheduled', scheduled);
    depth('retry', retry);
    depth('dead', this.#others.archived.value());
    depth('completed', this.#others.completed.value());
    depth('aggregating', this.#groups.exact);
    put('queue.groups', this.#groups.count);
    put('queue.groups.tasks', this.#groups.exact === undefined ? this.#groups.estimate : undefined);
    const since = this.#tail.oldest();
    put(
      'queue.ready.oldest',
      pending === 0 ? 0 : since === undefined ? undefined : Math.max(0, nowMs - since) / 1000,
    );
    put('queue.scheduled.overdue', latest(this.#due.scheduled.value(), this.#due.retry.value()));
    put('queue.active.orphaned', active === 0 ? 0 : integer(orphaned));
    put('queue.tasks.processed', processed);
    put('queue.tasks.failed', failed);
    put(
      'queue.paused',
      texts instanceof Error || texts === undefined ? undefined : text(paused) === undefined ? 0 : 1,
    );
    return [...readings, ...this.#failures.readings()];
  }

  /**
   * Asks for what the first round has shown to be needed, for times at the end of the list, and with what is left for groups and failures.
   *
   * @returns the answers to `first`
   */
  *#secondRound(first: readonly Command[], tail: Reply | undefined, limit: number): Poll<readonly Reply[]> {
    const left = limit - first.length;
    const wanted = this.#spare.filter((each) => each.commands(1).length > 0).length;
    const ids = this.#tail.read(tail, Math.min(TIMES, Math.max(1, left - wanted)));
    this.#spare.reverse();
    const [one, other] = this.#spare;
    const ones = one.commands(left - ids.length);
    const others = other.commands(left - ids.length - ones.length);
    const commands = [...first, ...ids.map((id) => this.#tail.ask(id)), ...ones, ...others];
    if (commands.length === 0) return [];
    const replies = yield commands;
    const from = first.length + ids.length;
    for (const [i, id] of ids.entries()) this.#tail.answer(id, replies[first.length + i]);
    one.take(replies.slice(from, from + ones.length));
    other.take(replies.slice(from + ones.length));
    return replies;
  }

  /** `paused` and the counters: the totals, and those of the day unless totals have been seen. Before either is, the latter are tried now and then. */
  #counters(nowMs: number): string[] {
    const totals = ['paused', 'processed', 'failed'];
    const isTry = this.#isOld === undefined && this.#polls++ % TRY_EVERY === 0;
    if (this.#isOld !== true && !isTry) return totals;
    const day = new Date(nowMs).toISOString().slice(0, 10);
    return [...totals, `processed:${day}`, `failed:${day}`];
  }

  /** @returns tasks processed and failed */
  #totals([processed, failed, ofDay, failedOfDay]: readonly Reply[]): (number | undefined)[] {
    if (integer(processed) !== undefined) this.#isOld = false;
    else if (integer(ofDay) !== undefined) this.#isOld = true;
    return [integer(processed) ?? integer(ofDay), integer(failed) ?? integer(failedOfDay)];
  }

  /** The figure whose turn it is. */
  #nextTurn(): SlowFigure {
    const next = this.#turns.find((figure) => !this.#needless.includes(figure))!;
    this.#turns = [...this.#turns.filter((figure) => figure !== next), next];
    return next;
  }

  /** Tasks for later and retries, which are asked for in turns once both are known: a key of a large Redis takes it a while to find. */
  #nextSizes(): SlowFigure[] {
    const { scheduled, retry } = this.#sizes;
    this.#isRetryNext = !this.#isRetryNext;
    const [next, other] = this.#isRetryNext ? [retry, scheduled] : [scheduled, retry];
    return other.value() === undefined ? [next, other] : [next];
  }

  #settle(scheduled: number | undefined, retry: number | undefined): void {
    const empty = [scheduled === 0 && this.#due.scheduled, retry === 0 && this.#due.retry];
    this.#needless = empty.filter((figure) => figure !== false);
    for (const figure of this.#needless) figure.set(0);
  }
}

function latest(...values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === values.length ? Math.max(...known) : undefined;
}
