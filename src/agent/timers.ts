/** Whoever wants to be called this often or less has a timer of his own, ms. */
const OWN_TIMER_MS = 1000;

interface Rider {
  /** Beats from one call to the next. */
  readonly beats: number;
  readonly run: () => void;
}

/** What is done again and again. Short intervals share one timer: waking a thread costs as much as what it then does. */
export class Timers {
  readonly #beatMs: number;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #riders: Rider[] = [];
  #beat = 0;

  /** @param beatMs the shortest interval, of which other short ones are multiples, rounded */
  constructor(beatMs: number) {
    this.#beatMs = beatMs;
  }

  every(ms: number, run: () => void): void {
    if (ms < this.#beatMs || ms >= OWN_TIMER_MS) {
      this.#timers.push(setInterval(run, ms));
      return;
    }
    if (this.#riders.length === 0) this.#timers.push(setInterval(() => this.#ride(), this.#beatMs));
    this.#riders.push({ beats: Math.round(ms / this.#beatMs), run });
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  #ride(): void {
    this.#beat++;
    for (const { beats, run } of this.#riders) if (this.#beat % beats === 0) run();
  }
}
