import { ThreadAccount } from './thread-account.ts';

type Account = Pick<ThreadAccount, keyof ThreadAccount>;

/** What the kernel tells of a running thread's CPU time may be that much too low, ms: its ticks come at least 100 a second. */
const TICK_MS = 10;
/**
 * Slices shorter than this are not looked at, ms: a thread that is made to wait, or sleeps, is away for longer. Where others want its
 * CPU its own thread pool may take it for a moment, at each of its operations.
 */
const LONG_SLICE_MS = 0.5;
const LONG_SLICE_WHERE_CROWDED_MS = 0.2;
/** From this share of its time in the queue for a CPU on, a thread is on a crowded machine. */
const CROWDED = 0.01;
/** How often it is asked whether the machine is, ms: after a sleep the first question to the kernel takes 50 µs. */
const CHECK_MS = 250;

/**
 * Time that a thread seemed to be busy in and was not: it waited for a CPU on a machine that is short of them, or slept within a callback
 * (`execSync`). Waiting comes in long slices and is not spread evenly, so it is taken from the slice in which it is seen.
 *
 * What is charged by the clock runs ahead of the thread's CPU time then. Right after the loop has slept that tells all; otherwise up to
 * a tick of it may be time that the kernel has yet to count, and of that only what the thread was in the queue for a CPU is taken.
 */
export class Waiting {
  readonly #account: Account;
  /** Charged less CPU time when the two were last even, ms. */
  #even = 0;
  #chargedMs = 0;
  /** In the queue, up to the last look, ms. */
  #queuedMs = 0;
  #checkedMs = 0;
  #sinceCheckMs = 0;
  /** Whether others want this thread's CPU: then it waits when it wakes up, too, which is no part of any slice. So until it is known. */
  #isCrowded = false;

  constructor(account: Account = new ThreadAccount()) {
    this.#account = account;
  }

  /** Begins anew. */
  start(): void {
    this.#account.open();
    this.#account.read();
    this.#even = this.#chargedMs - this.#account.cpuMs;
    this.#queuedMs = this.#account.queuedMs;
    this.#checkedMs = this.#queuedMs;
    this.#sinceCheckMs = 0;
    this.#isCrowded = this.#account.knowsQueue;
  }

  stop(): void {
    this.#account.close();
  }

  /** To be called some times a second. @param elapsedMs since the last call */
  check(elapsedMs: number): void {
    this.#sinceCheckMs += elapsedMs;
    if (this.#sinceCheckMs < CHECK_MS || !this.#account.knowsQueue) return;
    this.#account.read();
    const { queuedMs } = this.#account;
    this.#isCrowded = queuedMs - this.#checkedMs > CROWDED * this.#sinceCheckMs;
    this.#checkedMs = queuedMs;
    this.#sinceCheckMs = 0;
  }

  /**
   * What is left of a slice without the waiting in it, ms.
   *
   * @param hasSlept whether the loop slept at the end of the slice, just before now
   */
  without(ms: number, hasSlept: boolean): number {
    this.#chargedMs += ms;
    if (this.#isShort(ms, hasSlept) || !this.#account.read()) return ms;
    const { cpuMs, queuedMs } = this.#account;
    const ahead = this.#chargedMs - cpuMs - this.#even;
    const queued = queuedMs - this.#queuedMs;
    const seen = hasSlept ? ahead : Math.max(ahead - TICK_MS, Math.min(ahead, queued));
    const waited = Math.min(Math.max(0, seen), ms);
    this.#queuedMs = queuedMs;
    this.#chargedMs -= waited;
    // Work between callbacks is nobody's, and no time to be charged later.
    if (hasSlept || ahead < 0) this.#even = this.#chargedMs - cpuMs;
    return ms - waited;
  }

  #isShort(ms: number, hasSlept: boolean): boolean {
    if (!this.#isCrowded) return ms < LONG_SLICE_MS;
    return ms < LONG_SLICE_WHERE_CROWDED_MS && !hasSlept;
  }
}
