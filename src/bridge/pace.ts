import { I32, type Shared } from './protocol.ts';

/**
 * Intervals of the agent's looks from one heartbeat to the next, while a run is in flight and while none is, and from one look to the
 * next while none is: waking a thread that sleeps is most of what either costs.
 */
const BEATS = { busy: 2, quiet: 4 } as const;
export const QUIET_PACE = 2;

/** Time from this heartbeat of a thread to the next, in the unit of the interval. */
export function beatPause(shared: Shared, interval: number): number {
  return interval * (isQuiet(shared) ? BEATS.quiet : BEATS.busy);
}

/** Whether no run is in flight in a thread. */
export function isQuiet({ i32 }: Shared): boolean {
  return Atomics.load(i32, I32.inFlight) === 0;
}
