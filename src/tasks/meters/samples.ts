import { AGENT, F64, I32, type Shared } from '../../bridge/protocol.ts';
import { threadMs } from '../../model/clock.ts';
import { nodeTiming } from '../../model/native.ts';
import { type Run, runStorage } from '../context.ts';
import { Waiting } from './waiting.ts';

/** Where the agent finds the function that it has called by interrupts of the running JavaScript. */
const SAMPLE = Symbol.for('taskwarden.sample');

export interface SamplesOptions {
  /** A run was found running: `ms` of CPU time since the sample before go to its task. */
  readonly onTask: (run: Run, ms: number) => void;
  /** Busy time less what went to tasks, ms; at times below 0, as a sample stands for idle time too. */
  readonly onRest: (ms: number) => void;
}

/**
 * CPU time by samples: the agent interrupts the thread about every 12 ms, wherever it is, and the task of the async context that it
 * finds gets the time since the interrupt before. That is right on average, for tasks, not for single runs.
 */
export class Samples {
  readonly #shared: Shared;
  readonly #options: SamplesOptions;
  readonly #waiting = new Waiting();
  #lastMs = 0;
  #idleMs = 0;
  #isOn = false;

  constructor(shared: Shared, options: SamplesOptions) {
    this.#shared = shared;
    this.#options = options;
  }

  /** Asks the agent for samples. */
  start(): void {
    if (this.#isOn) return;
    this.#isOn = true;
    this.#waiting.start();
    this.#lastMs = threadMs();
    this.#idleMs = nodeTiming.idleTime;
    (globalThis as { [SAMPLE]?: () => void })[SAMPLE] = () => this.#take();
    this.#shared.i32[I32.samplingAsked] = 1;
  }

  stop(): void {
    if (!this.#isOn) return;
    this.#isOn = false;
    this.#shared.i32[I32.samplingAsked] = 0;
    delete (globalThis as { [SAMPLE]?: () => void })[SAMPLE];
  }

  /** Whether samples are being taken. */
  get isLive(): boolean {
    const { i32 } = this.#shared;
    return this.#isOn && Atomics.load(i32, I32.sampling) === 1 && Atomics.load(i32, I32.agent) !== AGENT.gone;
  }

  #take(): void {
    const at = threadMs();
    const idle = nodeTiming.idleTime;
    const seeming = Math.max(0, at - this.#lastMs - (idle - this.#idleMs));
    const busy = this.#waiting.without(seeming);
    const waited = seeming - busy;
    // Times at which nothing ran are samples as well, taken by the agent alone.
    const since = Math.max(this.#lastMs, this.#shared.f64[F64.quietAt]!);
    this.#lastMs = at;
    this.#idleMs = idle;
    const run = runStorage.getStore();
    const ms = run === undefined || run.ended ? 0 : Math.max(0, at - since - waited);
    if (ms > 0) this.#options.onTask(run!, ms);
    this.#options.onRest(busy - ms);
  }
}
