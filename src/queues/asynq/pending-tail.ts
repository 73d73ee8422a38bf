import { elements, integer, text } from '../reply.ts';
import type { Command, QueueRef, Reply } from '../system.ts';
import { queueKey } from './keys.ts';

/** Tasks at the end of the list that are looked at: the last two, or so many before the age is called unknown. */
const SHALLOW = 2;
const DEPTH = 16;

/**
 * When the oldest pending task became so. Tasks leave at the tail, so the last one is the oldest; but those that a stopping server gave
 * back, and those run by hand, have no `pending_since` (nor have any before asynq 0.20), and a task may be missing. Then the next one
 * that has it counts, which is younger: an age never too great. A few are looked at in each poll; what was found out is kept until the
 * task leaves the tail.
 */
export class PendingTail {
  readonly #queue: QueueRef;
  /** Since when each of the last tasks is pending, ms since the Unix epoch; null for one that has no such time. */
  #since = new Map<string, number | null>();
  #tail: readonly string[] = [];

  constructor(queue: QueueRef) {
    this.#queue = queue;
  }

  command(): Command {
    const isShallow = this.#tail.slice(0, SHALLOW).some((id) => this.#since.get(id) !== null);
    const depth = this.#tail.length === 0 || isShallow ? SHALLOW : DEPTH;
    return ['LRANGE', queueKey(this.#queue, 'pending'), -depth, -1];
  }

  /** @returns ids to ask for, oldest first, at most `limit` */
  read(reply: Reply | undefined, limit: number): string[] {
    this.#tail = elements(reply)
      .flatMap((id) => text(id) ?? [])
      .reverse();
    this.#since = new Map(
      this.#tail.flatMap((id) => {
        const known = this.#since.get(id);
        return known === undefined ? [] : [[id, known] as const];
      }),
    );
    const open: string[] = [];
    for (const id of this.#tail) {
      if (open.length === limit || typeof this.#since.get(id) === 'number') break;
      if (!this.#since.has(id)) open.push(id);
    }
    return open;
  }

  ask(id: string): Command {
    return ['HGET', queueKey(this.#queue, `t:${id}`), 'pending_since'];
  }

  /** Takes the answer to `ask`, in nanoseconds. */
  answer(id: string, reply: Reply | undefined): void {
    if (reply === undefined || reply instanceof Error) return;
    const nanoseconds = integer(reply);
    this.#since.set(id, nanoseconds === undefined ? null : nanoseconds / 1e6);
  }

  /** The oldest time known before any that is not yet, ms since the Unix epoch. */
  oldest(): number | undefined {
    for (const id of this.#tail) {
      const since = this.#since.get(id);
      if (since === undefined) return undefined;
      if (since !== null) return since;
    }
    return undefined;
  }
}
