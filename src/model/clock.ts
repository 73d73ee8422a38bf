import { performance } from 'node:perf_hooks';

/**
 * Where time comes from. Rules, PromQL and the store never read a clock: they are handed a time, in
 * milliseconds since the Unix epoch.
 */
export type Clock = () => number;

/** Wall clock, ms since the Unix epoch. */
export const wallClock: Clock = () => Date.now();

const { hrtime } = process;

/** `performance.now()` of this thread, and not what a program that fakes time has put in its place since. */
export const threadMs: Clock = performance.now.bind(performance);

/**
 * The operating system's monotonic clock in ms. `performance.now()` starts anew in every thread, this does
 * not, so it is what two threads use to speak of the same moment.
 */
export function monotonicMs(): number {
  const [s, ns] = hrtime();
  return s * 1000 + ns / 1e6;
}

/** How far the wall clock may run ahead before a steady clock follows it, ms: a machine that slept, a clock that was set. */
const AHEAD_MS = 5000;

/**
 * Milliseconds since the Unix epoch that never go back: the wall clock at the start, carried on by the monotonic one. A clock that
 * is set forward is followed, one that is set back is not, as the store of the past takes no samples out of order.
 */
export function steadyClock(): Clock {
  let offset = wallClock() - monotonicMs();
  return () => {
    const now = monotonicMs() + offset;
    const ahead = wallClock() - now;
    if (ahead <= AHEAD_MS) return now;
    offset += ahead;
    return now + ahead;
  };
}
