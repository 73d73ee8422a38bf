/** Whoever wants to be called this often or less has a timer of his own, ms. */
const OWN_TIMER_MS = 1000;
/** How long he is put off while there is something urgent, ms, and how many times at most. */
const PUT_OFF_MS = 200;
const PUT_OFF_TIMES = 5;

interface Rider {
  /** Beats from one call to the next. */
  readonly beats: number;
  readonly run: () => void;
}

export interface TimersOptions {
  /** The shortest interval, of which other short ones are multiples, rounded. */
  readonly beatMs: number;
  /** Beats until the next wake-up, asked at each. */
  readonly pace?: () => number;
  /** Whether there is something that what has a timer of its own must not delay. */
  readonly isUrgent?: () => boolean;
}

/** What is done again and again. Short intervals share one timer: waking a thread costs as much as what it then does. */
export class Timers {
  readonly #beatMs: number;
  readonly #pace: () => number;
  readonly #isUrgent: () => boolean;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #putOff = new Set<NodeJS.Timeout>();
  readonly #riders: Rider[] = [];
  #shared: NodeJS.Timeout | undefined;
  /** Beats from one wake-up to the next. */
  #stride = 1;
  #beat = 0;

  constructor({ beatMs, pace = () => 1, isUrgent = () => false }: TimersOptions) {
    this.#beatMs = beatMs;
    this.#pace = pace;
    this.#isUrgent = isUrgent;
  }

  /** Calls `run` every `ms`; where the pace makes that too fine, at every wake-up. */
  every(ms: number, run: () => void): void {
    if (ms < this.#beatMs || ms >= OWN_TIMER_MS) {
      this.#timers.push(setInterval(ms < this.#beatMs ? run : () => this.#whenCalm(run), ms));
      return;
    }
    if (this.#shared === undefined) this.#start(1);
    this.#riders.push({ beats: Math.round(ms / this.#beatMs), run });
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const timer of this.#putOff) clearTimeout(timer);
    clearInterval(this.#shared);
  }

  #whenCalm(run: () => void, times = PUT_OFF_TIMES): void {
    if (times === 0 || !this.#isUrgent()) {
      run();
      return;
    }
    const timer = setTimeout(() => {
      this.#putOff.delete(timer);
      this.#whenCalm(run, times - 1);
    }, PUT_OFF_MS);
    this.#putOff.add(timer);
  }

  #start(stride: number): void {
    clearInterval(this.#shared);
    this.#stride = stride;
    this.#shared = setInterval(() => this.#ride(), stride * this.#beatMs);
  }

  #ride(): void {
    const before = this.#beat;
    this.#beat += this.#stride;
    for (const { beats, run } of this.#riders)
      if (Math.floor(this.#beat / beats) > Math.floor(before / beats)) run();
    const pace = this.#pace();
    if (pace !== this.#stride) this.#start(pace);
  }
}
