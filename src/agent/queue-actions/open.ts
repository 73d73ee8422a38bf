import type { ActionName } from '../../model/action.ts';
import { wallClock } from '../../model/clock.ts';
import type { Action } from '../actions.ts';
import type { Queues } from '../queues.ts';
import { cancelTask } from './cancel.ts';
import { eitherPause, KEEP_MS, QueuePauses } from './pauses.ts';

/**
 * The actions that write to a Redis.
 *
 * @param own pauses this process's workers of a queue; absent where there are none
 */
export function openQueueActions(
  { placesOf, write }: Pick<Queues, 'placesOf' | 'write'>,
  own: Action | undefined,
): {
  actions: Partial<Record<ActionName, Action>>;
  pauses: { keep(): Promise<void>; readonly keepMs: number };
} {
  const pauses = new QueuePauses({ placesOf, write, now: wallClock });
  return {
    actions: { 'cancel-task': cancelTask(write), 'pause-queue': eitherPause(pauses.action, own) },
    pauses: { keep: () => pauses.keep(), keepMs: KEEP_MS },
  };
}
