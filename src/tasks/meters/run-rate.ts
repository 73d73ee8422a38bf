/** Promise continuations of a BullMQ job whose handler does nothing. */
const HOPS_PER_RUN = 33;
/** After the first run's begin its rate tells nothing before this, ms. */
const FIRST_LOOK_MS = 20;
/** Below this share of the rate that is too high a first look is believed: runs that begin together may end together. */
const CLEARLY_LOW = 0.25;
/** After this time the rate itself decides, and is counted anew, ms. */
const WINDOW_MS = 1000;

/**
 * Tells by the rate of runs alone whether exact metering would go over its budget. To try is no way to find out: where promise hooks have
 * been set once, V8 runs promises slower until the process ends, also after they are gone.
 */
export class RunRate {
  /** When to look first, ms after the first run's begin. */
  static readonly firstLookMs = FIRST_LOOK_MS;
  readonly #most: number;
  #sinceMs: number | undefined;
  #ended = 0;

  /** @param budget share of a core, @param hopMs what one promise continuation costs */
  constructor(budget: number, hopMs: number) {
    this.#most = budget / (HOPS_PER_RUN * hopMs);
  }

  /** @returns whether the run that begins is the first */
  begin(nowMs: number): boolean {
    if (this.#sinceMs !== undefined) return false;
    this.#sinceMs = nowMs;
    return true;
  }

  end(): void {
    this.#ended++;
  }

  /** Whether so few runs end that they can be metered exactly; undefined as long as that is not sure. */
  isLow(nowMs: number): boolean | undefined {
    if (this.#sinceMs === undefined) return undefined;
    const elapsedMs = nowMs - this.#sinceMs;
    if (elapsedMs < FIRST_LOOK_MS) return undefined;
    const rate = this.#ended / elapsedMs;
    if (rate <= CLEARLY_LOW * this.#most) return true;
    if (elapsedMs < WINDOW_MS) return undefined;
    this.#sinceMs = nowMs;
    this.#ended = 0;
    return rate <= this.#most;
  }

  /** Forgets all runs. */
  reset(): void {
    this.#sinceMs = undefined;
    this.#ended = 0;
  }
}
