import { elements, integer, text } from './reply.ts';
import type { Command, Poll, Reading, Reply } from './system.ts';

/** What BullMQ and Bull have in common: lists of job ids, and a hash for each job. */

/** A delayed job's score is its due time in ms, times this, plus a counter. */
const DELAYED_SHIFT = 0x1000;
/** Tasks longest in flight whose lock is looked at. */
const LOCKS = 16;

/** Reading of a queue without attributes of its own. */
export function reading(metric: Reading['metric'], value: number): Reading {
  return { metric, attributes: {}, value };
}

export function depth(state: string, value: number): Reading {
  return { metric: 'queue.depth', attributes: { 'queue.state': state }, value };
}

/** Age in s of something that began at `sinceMs`; clocks that differ make no negative age. */
export function age(nowMs: number, sinceMs: number): number {
  return Math.max(0, nowMs - sinceMs) / 1000;
}

/** Fields of a job that say since when it has been ready; never its data. */
export function readyFields(key: string, id: string): Command {
  return ['HMGET', key + id, 'timestamp', 'opts', 'attemptsMade', 'atm', 'ats', 'stc'];
}

/**
 * Since when a job has been ready, ms since the Unix epoch. Only a first attempt tells: `timestamp` never changes, and what was stored
 * as delay is overwritten by a backoff. A delayed job that was promoted counts from now on.
 */
export function readySince(reply: Reply | undefined): number | undefined {
  const [timestamp, opts, ...attempts] = elements(reply);
  const added = integer(timestamp);
  if (added === undefined || attempts.some((count) => (integer(count) ?? 0) > 0)) return undefined;
  return added + delayOf(text(opts));
}

function delayOf(opts: string | undefined): number {
  if (opts === undefined || !opts.includes('"delay"')) return 0;
  try {
    const { delay } = JSON.parse(opts) as { delay?: unknown };
    return typeof delay === 'number' ? delay : 0;
  } catch {
    return 0;
  }
}

/** What the two ends of a list of ready jobs tell. */
export interface Ends {
  readonly length: number | undefined;
  /** Since when the older of the two jobs has been ready; undefined when it is unknown, or there is none. */
  readonly sinceMs: number | undefined;
}

/**
 * Length of a list of ready jobs and the ready time of its oldest. The next job is the last; but what was put there out of turn (LIFO,
 * stalled, parents of flows) may be younger than the first. Five commands.
 */
export function* endsOf(key: string, list: string): Poll<Ends> {
  const [length, last, first] = yield [
    ['LLEN', key + list],
    ['LINDEX', key + list, -1],
    ['LINDEX', key + list, 0],
  ];
  const ids = new Set([text(last), text(first)].filter((id) => id !== undefined));
  const jobs = ids.size === 0 ? [] : yield [...ids].map((id) => readyFields(key, id));
  const since = jobs.map(readySince).filter((ms) => ms !== undefined);
  return { length: integer(length), sinceMs: since.length === 0 ? undefined : Math.min(...since) };
}

/** How long the first of the delayed jobs has been due. One command. */
export function* overdue(key: string, nowMs: number): Poll<readonly Reading[]> {
  const [reply] = yield [['ZRANGE', `${key}delayed`, 0, 0, 'WITHSCORES']];
  if (!Array.isArray(reply)) return [];
  const score = integer(elements(reply)[1]);
  const late = score === undefined ? 0 : age(nowMs, Math.floor(score / DELAYED_SHIFT));
  return [reading('queue.scheduled.overdue', late)];
}

/** The jobs longest in flight: since when the oldest is, and how many of them nobody holds. Three commands. */
export function* inFlight(key: string, nowMs: number): Poll<readonly Reading[]> {
  const [reply] = yield [['LRANGE', `${key}active`, -LOCKS, -1]];
  if (!Array.isArray(reply)) return [];
  const ids = elements(reply).flatMap((id) => text(id) ?? []);
  if (ids.length === 0) return [reading('queue.active.oldest', 0), reading('queue.active.orphaned', 0)];
  const [processedOn, locked] = yield [
    ['HGET', key + ids.at(-1)!, 'processedOn'],
    ['EXISTS', ...ids.map((id) => `${key}${id}:lock`)],
  ];
  const readings: Reading[] = [];
  const since = integer(processedOn);
  if (since !== undefined) readings.push(reading('queue.active.oldest', age(nowMs, since)));
  const held = integer(locked);
  if (held !== undefined) readings.push(reading('queue.active.orphaned', ids.length - held));
  return readings;
}

/** Sizes by command and key, as depths by state. */
export function* sizes(commands: readonly (readonly [state: string, command: Command])[]): Poll<Reading[]> {
  const replies = yield commands.map(([, command]) => command);
  return commands.flatMap(([state], at) => {
    const size = integer(replies[at]);
    return size === undefined ? [] : [depth(state, size)];
  });
}
