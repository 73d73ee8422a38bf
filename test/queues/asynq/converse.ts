import type { Redis } from 'ioredis';
import { pipelined } from '../../../src/queues/pipelines.ts';
import type { Command, Poll } from '../../../src/queues/system.ts';

/** A conversation with a Redis, to its end. `commands` is given what is sent. */
export async function converse<Learnt>(
  redis: Redis,
  poll: Poll<Learnt>,
  commands: Command[] = [],
): Promise<Learnt> {
  let step = poll.next();
  while (step.done !== true) {
    commands.push(...step.value);
    step = poll.next(step.value.length === 0 ? [] : await pipelined(redis, step.value));
  }
  return step.value;
}
