import type { SeenQueue } from '../model/redis-target.ts';
import type { Sdk } from '../sdk/sdk.ts';
import type { Breakers } from '../tasks/breakers.ts';
import type { NetworkMeter } from '../tasks/meters/network.ts';
import type { Tasks } from '../tasks/run.ts';
import type { Workers } from '../tasks/workers.ts';

/** What an instrumentation may use. */
export interface Host {
  readonly tasks: Tasks;
  readonly sdk: Sdk;
  /** Where workers are told of, so that actions can pause and close them; absent where none is allowed to. */
  readonly workers?: Workers | undefined;
  /** Counts what circuit breakers do; absent where they are not watched. */
  readonly breakers?: Breakers | undefined;
  /** Learns which sockets are a pool's; absent where the network is not metered. */
  readonly network?: NetworkMeter | undefined;
  /** Tells the agent of a queue that a worker of this process reads; absent where queues are not watched. */
  readonly queueSeen?: ((seen: SeenQueue) => void) | undefined;
}
