import { cpuUsage, threadCpuUsage } from '../../model/native.ts';

/**
 * Busy time after which it is looked, ms: of one slice, and of several. A look costs 1 to 7 µs; who is made to wait for a CPU, or sleeps, is
 * mostly away for longer than the first.
 */
const LONG_SLICE_MS = 0.5;
const LOOK_MS = 1;
/** By how much CPU time may be told too low, ms. Linux is exact here; others may tell it by ticks. */
const LAG_MS: number = process.platform === 'linux' ? 0 : 10;

/**
 * CPU time of the calling thread, ms; undefined on Node.js before 22.19, which cannot tell. Linux brings a running thread's account up to date
 * only at its ticks (1 to 10 ms), or when the whole process is asked for: `thread_group_cputime` begins with the caller.
 */
function threadCpuMs(): number | undefined {
  if (typeof threadCpuUsage !== 'function') return undefined;
  cpuUsage();
  const { user, system } = threadCpuUsage();
  return (user + system) / 1000;
}

/**
 * Time that a thread seemed to be busy in and was not: it waited for a CPU on a machine that is short of them, or slept within a callback
 * (`execSync`). Waiting comes in long slices and is not spread evenly, so it is taken from the slice in which it is seen: what the clock
 * has charged by then since the last look and the thread's CPU time has not.
 */
export class Waiting {
  readonly #cpuMs: () => number | undefined;
  readonly #lagMs: number;
  #lookedMs: number | undefined;
  /** Since the last look. */
  #chargedMs = 0;

  constructor(cpuMs: () => number | undefined = threadCpuMs, lagMs: number = LAG_MS) {
    this.#cpuMs = cpuMs;
    this.#lagMs = lagMs;
  }

  /** Begins anew. */
  start(): void {
    this.#lookedMs = this.#cpuMs();
    this.#chargedMs = 0;
  }

  /** What is left of a slice without the waiting in it, ms. */
  without(ms: number): number {
    this.#chargedMs += ms;
    if ((ms < LONG_SLICE_MS && this.#chargedMs < LOOK_MS) || this.#lookedMs === undefined) return ms;
    const cpuMs = this.#cpuMs()!;
    // CPU time between slices is nobody's, and may be more than what is charged.
    const waited = Math.max(0, this.#chargedMs - (cpuMs - this.#lookedMs) - this.#lagMs);
    this.#lookedMs = cpuMs;
    this.#chargedMs = 0;
    return ms - Math.min(waited, ms);
  }
}
