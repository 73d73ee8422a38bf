import type { QueueRef } from '../system.ts';

/** Key of a part of a queue, such as `pending`. The braces are asynq's: they keep a queue in one slot of a cluster. */
export function queueKey({ prefix, name }: QueueRef, part: string): string {
  return `${prefix}:{${name}}:${part}`;
}
