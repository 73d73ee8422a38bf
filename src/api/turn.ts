import { ApiError } from './answer.ts';

/** How long a request may keep the thread from its other duties, ms. */
const SLICE_MS = 10;

export const TIMED_OUT = 'query timed out in expression evaluation';

/** The time that one request has: when it ends, and when others must be let through. */
export class Turn {
  readonly #signal: AbortSignal;
  readonly #deadline: number;
  #since = performance.now();

  /** @param signal aborted when nobody waits for the answer any more @param limitMs time for the whole of it */
  constructor(signal: AbortSignal, limitMs: number) {
    this.#signal = signal;
    this.#deadline = performance.now() + limitMs;
  }

  /** Time until the deadline, ms. */
  get leftMs(): number {
    return this.#deadline - performance.now();
  }

  /** Share of the present slice that is used. */
  get used(): number {
    return (performance.now() - this.#since) / SLICE_MS;
  }

  /** Lets timers and other requests through when the slice is used up. @throws ApiError timeout, canceled */
  async rest(): Promise<void> {
    if (this.used < 1) return;
    await new Promise((later) => setImmediate(later));
    this.#since = performance.now();
    if (this.#signal.aborted) throw new ApiError('canceled', 'query was canceled');
    if (this.leftMs <= 0) throw new ApiError('timeout', TIMED_OUT);
  }
}
