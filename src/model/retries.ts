/** What is new is tried at once while the other side fails, unless the last attempt was so short ago, ms. */
const EAGER_MS = 1000;
/** Pause between the attempts of a flush, ms. */
const FLUSH_RETRY_MS = 100;
const FLUSH_ATTEMPTS = 2;

export interface RetryPauses {
  /** Pause after a first failure, ms; doubles with every further one up to `maxRetryMs`, less up to half by chance. */
  readonly firstRetryMs: number;
  readonly maxRetryMs: number;
  /** ms, any origin. */
  readonly now: () => number;
}

export interface RetriesOptions extends RetryPauses {
  /** The longest pause that the other side may ask for, ms. */
  readonly maxAskedMs: number;
  /** A pause is over: goes on with what waits. */
  readonly resume: () => void;
  /** Whether nothing is on its way. */
  readonly isIdle: () => boolean;
  /** Whether nothing waits. */
  readonly isEmpty: () => boolean;
}

/**
 * When something that is sent, and may fail, is tried again: after growing pauses, and at once where all that waits is to be sent before an
 * end. Its timers keep no thread alive, except during a flush.
 */
export class Retries {
  readonly #options: RetriesOptions;
  #failures = 0;
  #lastAttempt = Number.NEGATIVE_INFINITY;
  #pause: NodeJS.Timeout | undefined;
  #wasAsked = false;
  /** Failures since the flush that is on began. */
  #flushFailures: number | undefined;
  #waiting: (() => void)[] = [];

  constructor(options: RetriesOptions) {
    this.#options = options;
  }

  /** Nothing is to be sent before it is over. */
  get isPaused(): boolean {
    return this.#pause !== undefined;
  }

  /** Whether the last attempt failed. */
  get isFailing(): boolean {
    return this.#failures > 0;
  }

  /** An attempt begins. */
  begun(): void {
    this.#lastAttempt = this.#options.now();
  }

  /** An attempt was answered for good, be it with a no. */
  answered(): void {
    this.#failures = 0;
  }

  /**
   * An attempt failed, and is to be made again.
   *
   * @param askedMs the pause that the other side asks for, 0 for none
   * @param isHopeless whether an end is not to be held up for another attempt
   */
  failed(askedMs = 0, isHopeless = false): void {
    const { firstRetryMs, maxRetryMs, maxAskedMs, resume } = this.#options;
    if (this.#flushFailures !== undefined) this.#flushFailures += isHopeless ? FLUSH_ATTEMPTS : 1;
    const isFlushing = this.#flushFailures !== undefined && this.#flushFailures < FLUSH_ATTEMPTS;
    const grown = Math.min(firstRetryMs * 2 ** this.#failures++, maxRetryMs);
    const jittered = grown * (0.5 + Math.random() / 2);
    this.endPause();
    this.#wasAsked = !isFlushing && askedMs > 0;
    const ms = isFlushing ? FLUSH_RETRY_MS : Math.max(jittered, Math.min(askedMs, maxAskedMs));
    this.#pause = setTimeout(() => {
      this.endPause();
      resume();
    }, ms);
    if (!isFlushing) this.#pause.unref();
  }

  /** There is something new that does not wait for the end of a long pause, unless the other side asked for that. */
  hurry(): void {
    if (!this.#wasAsked && this.#options.now() - this.#lastAttempt >= EAGER_MS) this.endPause();
  }

  endPause(): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#wasAsked = false;
  }

  /** Fulfils when all that waits is sent or has failed twice, or hopelessly, after `timeoutMs` at the latest. */
  async flush(timeoutMs: number): Promise<void> {
    this.#flushFailures = 0;
    this.endPause();
    this.#options.resume();
    if (!this.#isSettled())
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    this.#flushFailures = undefined;
    this.#pause?.unref();
  }

  /** To be called when something has come to its end: ends flushes that have nothing to wait for any more. */
  settle(): void {
    if (this.#isSettled()) for (const done of this.#waiting.splice(0)) done();
  }

  #isSettled(): boolean {
    const { isIdle, isEmpty } = this.#options;
    return isIdle() && (isEmpty() || (this.#flushFailures ?? 0) >= FLUSH_ATTEMPTS);
  }
}
