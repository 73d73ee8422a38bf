import type { Command, QueueRef } from '../system.ts';
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
