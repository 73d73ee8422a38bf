import { I32, type Shared } from './protocol.ts';

/**
 * How much rarer the heartbeat is while no run is in flight, and how much rarer the agent looks: waking a thread that sleeps is most of
 * what either costs.
 */
export const RESTING_BEATS = 4;
export const QUIET_PACE = 2;

/** Whether no run is in flight in a thread. */
export function isQuiet({ i32 }: Shared): boolean {
  return Atomics.load(i32, I32.inFlight) === 0;
}
