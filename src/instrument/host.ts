import type { SeenQueue } from '../model/redis-target.ts';
import type { Sdk } from '../sdk/sdk.ts';
import type { Tasks } from '../tasks/run.ts';

/** What an instrumentation may use. */
export interface Host {
  readonly tasks: Tasks;
  readonly sdk: Sdk;
  /** Tells the agent of a queue that a worker of this process reads; absent where queues are not watched. */
  readonly queueSeen?: ((seen: SeenQueue) => void) | undefined;
}
