import { I32, type Shared } from './protocol.ts';

/** How much rarer both threads look up while no run is in flight: waking one that sleeps is most of what a look costs. */
export const QUIET_PACE = 2;

/** Whether no run is in flight in a thread. */
export function isQuiet({ i32 }: Shared): boolean {
  return Atomics.load(i32, I32.inFlight) === 0;
}
