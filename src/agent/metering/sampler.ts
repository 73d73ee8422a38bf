import type { Inbox } from '../../bridge/inbox.ts';
import { isQuiet } from '../../bridge/pace.ts';
import { END, F64, I32 } from '../../bridge/protocol.ts';
import type { MainThread } from '../blocks/main-thread.ts';

/**
 * Time from one sample to the next, ms: drawn anew each time, or work that a timer starts would be met always or never. A sample costs
 * the main thread 60 µs where it is busy and up to 100 µs where it has to wake up: 12 ms are 0.5 to 0.8 % of a core.
 */
const LEAST_MS = 10;
const MOST_MS = 14;
/** How long the main thread may take to answer: native code takes as long as it takes. */
const ANSWER_MS = 3_600_000;
/** Samples in a row that fail before no more are taken. */
const FAILURES = 3;

/** What the main side has put there, see src/tasks/meters/samples.ts. It is gone where no more samples are wanted. */
const EXPRESSION = "void globalThis[Symbol.for('taskwarden.sample')]?.()";

/** Takes samples of what the main thread does, by interrupts of its JavaScript, while it asks for them and runs are in flight. */
export class Sampler {
  readonly #inbox: Inbox;
  readonly #main: MainThread;
  #timer: NodeJS.Timeout | undefined;
  #release: (() => void) | undefined;
  #isAsking = false;
  #failures = 0;

  constructor(inbox: Inbox, main: MainThread) {
    this.#inbox = inbox;
    this.#main = main;
  }

  /** Begins or ends sampling as the main thread wants it. */
  check(): void {
    const { i32 } = this.#inbox.shared;
    const isEnding = Atomics.load(i32, I32.endKind) !== END.none;
    const wanted = Atomics.load(i32, I32.samplingAsked) === 1 && !isEnding && this.#failures < FAILURES;
    if (wanted === (this.#timer !== undefined)) return;
    if (wanted) this.#later();
    else this.close();
  }

  /** Ends sampling until the next check, and lets go of the session. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#release?.();
    this.#release = undefined;
    Atomics.store(this.#inbox.shared.i32, I32.sampling, 0);
  }

  #later(): void {
    const ms = LEAST_MS + Math.random() * (MOST_MS - LEAST_MS);
    this.#timer = setTimeout(() => this.#sample(), ms);
  }

  #sample(): void {
    this.#later();
    const { f64 } = this.#inbox.shared;
    if (isQuiet(this.#inbox.shared)) f64[F64.quietAt] = this.#inbox.now();
    else if (!this.#isAsking) void this.#ask();
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    this.#release ??= this.#main.hold();
    const answer = await this.#main.post(
      'Runtime.evaluate',
      { expression: EXPRESSION, silent: true },
      ANSWER_MS,
    );
    this.#isAsking = false;
    // Closed meanwhile: then there is no answer, and none is missing.
    if (this.#timer === undefined) return;
    this.#failures = answer === undefined ? this.#failures + 1 : 0;
    Atomics.store(this.#inbox.shared.i32, I32.sampling, answer === undefined ? 0 : 1);
  }
}
