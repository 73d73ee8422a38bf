/** Node.js before 22.19 cannot tell a thread's CPU time. */
const CAN_TELL: boolean = typeof process.threadCpuUsage === 'function';
/**
 * The kernel brings a running thread's CPU time up to date at every tick, at least 100 a second: what is told may be that much too low, ms.
 */
const TICK_MS = 10;
/** Slices shorter than this are not looked at, ms: a thread that is made to wait, or sleeps, is away for longer. */
export const LONG_SLICE_MS = 1;

/**
 * Time that a thread seemed to be busy in and was not: it waited for a CPU on a machine that is short of them, or slept within a callback
 * (`execSync`). What is charged by the clock runs ahead of the thread's CPU time then, and what it is ahead by, beyond the ticks of the
 * kernel, is taken from the slice after which it shows: waiting comes in long slices and is not spread evenly.
 */
export class Waiting {
  /** Charged less CPU time when the two were last even, ms. */
  #even = 0;
  #chargedMs = 0;

  /** Begins anew. */
  reset(): void {
    this.#even = this.#chargedMs - cpuMs();
  }

  /** A slice that is too short to be looked at. */
  charged(ms: number): void {
    this.#chargedMs += ms;
  }

  /** What is left of a slice without the waiting in it, ms. */
  without(ms: number): number {
    this.#chargedMs += ms;
    if (!CAN_TELL) return ms;
    const ahead = this.#chargedMs - cpuMs() - this.#even;
    // Work between callbacks is nobody's, and no time to be charged later.
    if (ahead < 0) this.#even += ahead;
    if (ahead <= TICK_MS) return ms;
    const waited = Math.min(ahead - TICK_MS, ms);
    this.#chargedMs -= waited;
    return ms - waited;
  }
}

function cpuMs(): number {
  if (!CAN_TELL) return 0;
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
