import { elements, integer } from '../reply.ts';
import type { Command, QueueRef, Reply } from '../system.ts';
import type { Groups } from './groups.ts';
import { queueKey } from './keys.ts';

/** A figure of a queue that is not read in every poll. */
export interface SlowFigure {
  readonly command: Command;
  take(reply: Reply | undefined, nowMs: number): void;
  /** What is known without asking. */
  set(value: number): void;
  value(): number | undefined;
}

function slow(
  command: Command,
  read: (reply: Reply | undefined, nowMs: number) => number | undefined,
): SlowFigure {
  let value: number | undefined;
  return {
    command,
    take(reply, nowMs) {
      value = read(reply, nowMs);
    },
    set(known) {
      value = known;
    },
    value: () => value,
  };
}

export function card(queue: QueueRef, part: string): SlowFigure {
  return slow(['ZCARD', queueKey(queue, part)], integer);
}

export function groupCount(queue: QueueRef, groups: Groups): SlowFigure {
  return slow(['SCARD', queueKey(queue, 'groups')], (reply) => {
    groups.counted(integer(reply));
    return groups.count;
  });
}

/** Seconds for which the task that is due first has been due. */
export function head(queue: QueueRef, part: string): SlowFigure {
  return slow(['ZRANGE', queueKey(queue, part), 0, 0, 'WITHSCORES'], (reply, nowMs) => {
    if (reply === undefined || reply instanceof Error) return undefined;
    const due = integer(elements(reply)[1]);
    return due === undefined ? 0 : Math.max(0, nowMs / 1000 - due);
  });
}
