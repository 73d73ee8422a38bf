import type { Action } from '../actions.ts';
import type { MainCalls } from './main-calls.ts';
import { done, refused } from './result.ts';

/** How long the main thread may take to begin to drain, ms: if it does not, it is killed in the end. */
const ANSWER_MS = 5000;

export interface ExitOptions {
  readonly calls: Pick<MainCalls, 'call'>;
  /** Between the request to end and SIGKILL, ms. */
  readonly graceMs: number;
  /** Exports what there is, before SIGKILL. */
  readonly flush: () => Promise<unknown>;
  readonly kill?: (pid: number, signal: NodeJS.Signals) => void;
}

/** The end of the process, asked for once: what runs out of patience is killed. */
export class Exit {
  readonly #options: ExitOptions;
  readonly #kill: (pid: number, signal: NodeJS.Signals) => void;
  #isUnderWay = false;

  constructor(options: ExitOptions) {
    this.#options = options;
    this.#kill = options.kill ?? process.kill;
  }

  /** `exit`: SIGTERM, as a supervisor would send it, and SIGKILL after the grace. */
  readonly action: Action = {
    plan: () => 'the process would have been sent SIGTERM',
    run: () => {
      const { graceMs } = this.#options;
      if (!this.#begin()) return refused('the process has been asked to end already');
      // What the event says is known before the thread waits for its export.
      setImmediate(() => {
        this.#killAfter(graceMs);
        this.#kill(process.pid, 'SIGTERM');
      });
      return done(`SIGTERM is sent; SIGKILL follows after ${graceMs / 1000} s`);
    },
  };

  /** After code was ended by force: takes no more jobs, lets those in flight end, and ends. Further calls do nothing. */
  restart(): void {
    const { graceMs, calls } = this.#options;
    if (!this.#begin()) return;
    // An application that listens to SIGTERM then has its own grace.
    this.#killAfter(2 * graceMs);
    void calls.call('drain', [graceMs], ANSWER_MS);
  }

  #begin(): boolean {
    if (this.#isUnderWay) return false;
    this.#isUnderWay = true;
    return true;
  }

  #killAfter(ms: number): void {
    setTimeout(() => {
      void this.#options.flush().finally(() => this.#kill(process.pid, 'SIGKILL'));
    }, ms);
  }
}
