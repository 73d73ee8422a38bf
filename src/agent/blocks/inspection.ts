import { setTimeout as sleep } from 'node:timers/promises';
import { READ_GC_SHARE } from '../../bridge/gc-share.ts';
import { type BlockClass, classify, type Spent } from './classify.ts';
import type { MainThread } from './main-thread.ts';
import type { SourceMaps } from './source-maps.ts';
import { type Look, lookAt } from './stack.ts';
import type { ThreadState } from './thread-state.ts';

/** The longest that a thread may take to say where it is: after native code it is still the stack of the block. */
const MOST_MS = 3_600_000;
/** A sleeping thread that answers is paused by a debugger, unless it is one of ours; how long it may take to say so, ms. */
const PAUSED_MS = 1000;
const ASLEEP_MS = 600;
/** How long it is looked at how much of the time collections take, and how much longer an alert waits for that, ms. */
const GC_MS = 40;
const GC_ANSWER_MS = 60;
/** Share of a CPU below which a thread is not waited for. */
const BUSY_SHARE = 0.25;
/** The one way in which JavaScript sleeps. */
const WAITING = 'at Atomics.wait ';
const ASLEEP_STEP_MS = 50;

/** What is known of a block while it lasts. */
export interface Seen {
  readonly kind: BlockClass;
  /** Slot of the run that holds the thread, -1 for none; undefined where it did not say so. */
  readonly slot: number | undefined;
  /** One frame a line, the innermost first; '' where it is not known. */
  readonly stack: string;
  /** CPU time of the thread since the block began, ms. */
  readonly cpuMs: number | undefined;
}

interface Evaluated {
  readonly result?: { readonly value?: unknown };
}

export interface InspectionOptions {
  readonly main: MainThread;
  readonly maps: SourceMaps;
  readonly thread: ThreadState;
  /** Limit of the old generation, bytes. */
  readonly heapLimit: number;
}

/** Looks into a thread that does not beat: asked once, it answers when it can. */
export class Inspection {
  readonly #options: InspectionOptions;
  readonly #asked = performance.now();
  readonly #answer: Promise<void>;
  readonly #measured: Promise<void>;
  #look: Look | undefined;
  #gcShare: number | undefined;

  /** Asks. */
  constructor(options: InspectionOptions) {
    this.#options = options;
    this.#answer = lookAt(options.main, options.maps, MOST_MS).then((look) => {
      this.#look = look;
    });
    this.#measured = this.#measureGc();
  }

  /** What it has answered so far. */
  get look(): Look | undefined {
    return this.#look;
  }

  /**
   * What is known `waitMs` after the question at the latest.
   *
   * @param spent what the block has taken so far
   */
  async see(waitMs: number, spent: Spent): Promise<Seen> {
    const { thread, heapLimit } = this.#options;
    const { lagMs, cpuMs } = spent;
    const began = performance.now();
    const hasChild = (): boolean => thread.hasChildSince(lagMs + performance.now() - began);
    await this.#wait(waitMs);
    // One that sleeps for no child may be paused, and slow to say so on a machine that is busy.
    const isAsleep = (): boolean => this.#look === undefined && thread.state() === 'S' && !hasChild();
    for (let ms = waitMs; ms < ASLEEP_MS && isAsleep(); ) {
      ms += ASLEEP_STEP_MS;
      await this.#wait(ms);
    }
    // Of a thread that answers: one in a collection does so when that is over. Without much of a CPU the alert would wait for long.
    if (this.#look !== undefined && (cpuMs ?? lagMs) >= BUSY_SHARE * lagMs)
      await Promise.race([this.#measured, pause(GC_ANSWER_MS)]);
    const state = thread.state();
    const look = this.#look;
    const kind = classify({
      ...spent,
      state,
      answered: look !== undefined,
      // One that runs, or waits by itself, is not; to ask is dear, as the debugger is told of every module.
      paused:
        state === 'S' && look !== undefined && !look.stack.startsWith(WAITING) && (await this.#isPaused()),
      hasChild: look === undefined && hasChild(),
      heapShare: look?.heap === undefined ? undefined : look.heap / heapLimit,
      gcShare: this.#gcShare,
    });
    return { kind, slot: look?.slot, stack: look?.stack ?? '', cpuMs };
  }

  /** For the answer, until so long after the question. */
  async #wait(ms: number): Promise<void> {
    const left = this.#asked + ms - performance.now();
    if (this.#look === undefined && left > 0) await Promise.race([this.#answer, pause(left)]);
  }

  async #measureGc(): Promise<void> {
    await this.#askGc();
    await pause(GC_MS);
    this.#gcShare = await this.#askGc();
  }

  async #askGc(): Promise<number | undefined> {
    const question = { expression: READ_GC_SHARE, returnByValue: true, silent: true };
    const answer = await this.#options.main.post<Evaluated>('Runtime.evaluate', question, MOST_MS);
    const share = answer?.result?.value;
    return typeof share === 'number' ? share : undefined;
  }

  /** A session that switches the debugger on while the thread is paused is told so. It does not end the pause. */
  async #isPaused(): Promise<boolean> {
    const { main } = this.#options;
    const release = main.hold();
    let paused = false;
    const forget = main.on('Debugger.paused', () => {
      paused = true;
    });
    await main.post('Debugger.enable', { maxScriptsCacheSize: 0 }, PAUSED_MS);
    await main.post('Debugger.disable', {}, PAUSED_MS);
    forget();
    release();
    return paused;
  }
}

function pause(ms: number): Promise<void> {
  return sleep(ms, undefined, { ref: false });
}
