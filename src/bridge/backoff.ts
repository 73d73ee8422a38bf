const FIRST_MS = 1000;
const MOST_MS = 60_000;
/** After so long without a failure the next pause is the first again. */
const SETTLED_MS = 60_000;

/** Pauses before something that fails is started again: each is twice as long as the one before, up to a minute. */
export class Backoff {
  #pauseMs = FIRST_MS;

  /** @param ranMs how long it has run until it failed */
  next(ranMs: number): number {
    if (ranMs >= SETTLED_MS) this.#pauseMs = FIRST_MS;
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(MOST_MS, 2 * pauseMs);
    return pauseMs;
  }
}
