/**
 * Where time comes from. Rules, PromQL and the store never read a clock: they are handed a time, in
 * milliseconds since the Unix epoch.
 */
export type Clock = () => number;

/** Wall clock, ms since the Unix epoch. */
export const wallClock: Clock = () => Date.now();

/**
 * The operating system's monotonic clock in ms. `performance.now()` starts anew in every thread, this does
 * not, so it is what two threads use to speak of the same moment.
 */
export function monotonicMs(): number {
  const [s, ns] = process.hrtime();
  return s * 1000 + ns / 1e6;
}
