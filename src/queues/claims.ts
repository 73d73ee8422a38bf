import { text } from './reply.ts';
import type { Poll } from './system.ts';

/**
 * Who of this process polls what of a Redis, where Redis takes no lease that would say so: it may be reached by several addresses, and
 * its queues are told of once.
 */
export class Claims {
  readonly #holders = new Map<string, object>();

  /** Whether it is the holder's, as nobody else has it. */
  take(what: string, holder: object): boolean {
    const holds = this.#holders.get(what) ?? holder;
    this.#holders.set(what, holds);
    return holds === holder;
  }

  /** Lets go of all that it has. */
  release(holder: object): void {
    for (const [what, holds] of this.#holders) if (holds === holder) this.#holders.delete(what);
  }
}

/** What a primary and its replicas have in common, and no other Redis has; empty where it may not be known. */
export function* replicationId(): Poll<string> {
  const [info] = yield [['INFO', 'replication']];
  return /^master_replid:(\w+)/m.exec(text(info) ?? '')?.[1] ?? '';
}
