import { integer, text } from '../reply.ts';
import type { Command, Poll, QueueRef, Reply } from '../system.ts';
import type { Pause, QueueWrites, TaskInFlight, Written } from '../writes.ts';
import { queueKey } from './keys.ts';

/**
 * What asynq's own tools would write. Nothing here is done unless somebody allows it.
 */

/** Asks whichever server runs the task to cancel the context of its handler; the attempt then counts as failed. */
export function cancelTask(prefix: string, id: string): Command {
  return ['PUBLISH', `${prefix}:cancel`, id];
}

/** Servers take no more tasks from the queue; those in flight go on. Replies nil when it is paused already. */
export function pauseQueue(queue: QueueRef, nowMs: number): Command {
  return ['SET', queueKey(queue, 'paused'), Math.floor(nowMs / 1000), 'NX'];
}

export function resumeQueue(queue: QueueRef): Command {
  return ['DEL', queueKey(queue, 'paused')];
}

export const writes: QueueWrites = { cancel, pause, keep, resume };

/** For how long a run is known to have been cancelled. */
const CLAIM_MS = 86_400_000;
/** asynq looks only whether there is a value; its own is the time alone. */
const OURS = ' taskwarden';

function* cancel(task: TaskInFlight, isCounted: boolean): Poll<Written> {
  const { prefix, queue, id, startedMs } = task;
  const [state] = yield [['HGET', queueKey({ prefix, name: queue }, `t:${id}`), 'state']];
  if (state instanceof Error) return failed(state);
  if (text(state) !== 'active') return { outcome: 'gone' };
  // A replica refuses this, while it would take the message and tell nobody.
  const claim = `taskwarden:cancel:{asynq:${prefix}}:${startedMs ?? 'unknown'}:${id}`;
  const [claimed] = yield [['SET', claim, 1, 'PX', CLAIM_MS, 'NX']];
  if (claimed instanceof Error) return failed(claimed);
  if (claimed === null) return { outcome: 'already' };
  const [heard] = yield [cancelTask(prefix, id)];
  if (!(heard instanceof Error) && (!isCounted || integer(heard) !== 0)) return { outcome: 'done' };
  yield [['PEXPIRE', claim, 1]];
  return heard instanceof Error ? failed(heard) : { outcome: 'unheard' };
}

function* pause(queue: QueueRef, nowMs: number, ttlMs: number): Poll<Pause> {
  const mark = `${Math.floor(nowMs / 1000)}${OURS}`;
  const [, key, , ...flags] = pauseQueue(queue, nowMs);
  const [set] = yield [['SET', key!, mark, ...flags, 'PX', ttlMs]];
  if (set instanceof Error) return failed(set);
  if (text(set) === 'OK') return { outcome: 'done', mark };
  const held = yield* pausedBy(queue);
  // Of a watcher that led before this one, or of another alert.
  if (typeof held !== 'string' || !held.endsWith(OURS)) return { outcome: 'already' };
  const kept = yield* keep(queue, held, ttlMs);
  return kept.outcome === 'done' ? { ...kept, mark: held } : kept;
}

function* keep(queue: QueueRef, mark: string, ttlMs: number): Poll<Written> {
  const held = yield* pausedBy(queue);
  if (held instanceof Error) return failed(held);
  if (held !== mark) return { outcome: 'gone' };
  const [kept] = yield [['PEXPIRE', queueKey(queue, 'paused'), ttlMs]];
  return kept instanceof Error ? failed(kept) : { outcome: kept === 1 ? 'done' : 'gone' };
}

function* resume(queue: QueueRef, mark: string): Poll<Written> {
  const held = yield* pausedBy(queue);
  if (held instanceof Error) return failed(held);
  if (held === undefined) return { outcome: 'gone' };
  if (held !== mark) return { outcome: 'already' };
  const [resumed] = yield [resumeQueue(queue)];
  return resumed instanceof Error ? failed(resumed) : { outcome: resumed === 1 ? 'done' : 'gone' };
}

function* pausedBy(queue: QueueRef): Poll<string | Error | undefined> {
  const [held] = yield [['GET', queueKey(queue, 'paused')]];
  return held instanceof Error ? held : text(held as Reply);
}

function failed({ message }: Error): Written {
  return { outcome: 'failed', message };
}
