import { createHook } from 'node:async_hooks';
import v8 from 'node:v8';
import { type CpuQuality, CURRENT, F64, I32, type Shared } from '../../bridge/protocol.ts';
import { threadMs } from '../../model/clock.ts';
import { clearTimeout, nodeTiming, setTimeout } from '../../model/native.ts';
import { type Cell, type Run, runStorage } from '../context.ts';
import type { Tally } from '../tally.ts';
import { Allocation } from './allocation.ts';
import { RunRate } from './run-rate.ts';
import { Samples } from './samples.ts';
import { Waiting } from './waiting.ts';

export type CpuMode = 'auto' | 'exact' | 'sampled' | 'sync' | 'off';

export interface CpuMeterOptions {
  readonly mode: CpuMode;
  /** Share of one core that exact metering may cost before it is switched off for a while; 1 for whatever it costs. */
  readonly budget: number;
  /** Options of the Node.js process, to see whether async context frames are switched off. */
  readonly nodeOptions: readonly string[];
  /** Takes what is counted by task and not by run; without it there are neither samples nor allocation. */
  readonly tally?: Tally | undefined;
}

/**
 * What one call of a hook costs all told, in ns: no-op BullMQ jobs, of which each continuation is another run's, became 7.5 µs dearer
 * by 33 promise hooks on a 2-core virtual machine; half of that elsewhere.
 */
const HOP_NS = 150;
const MACROTASK_NS = 250;
/**
 * The loop cannot idle between two promise continuations, but a callback that no hook announces may come first: above this
 * length idle time is asked for.
 */
const TRUSTED_SLICE_MS = 0.2;
/** How much time's budget may be spent ahead, ms. */
const BURST_MS = 250;
/** How long exact metering stays off after it went over its budget; doubled each time up to the maximum. */
const FIRST_PAUSE_MS = 30_000;
const MAX_PAUSE_MS = 600_000;

/**
 * CPU time and longest block of each run.
 *
 * Exact mode looks at the async context whenever V8 continues a promise (`v8.promiseHooks`) and whenever Node.js calls
 * into JavaScript (`createHook`), and reads the clock when the task changes. Idle time of the loop is taken out, and so is time that
 * the thread waits for a CPU ({@link Waiting}). In mode `auto` it begins once runs are known to be few enough ({@link RunRate}).
 * Elsewhere only the part of a handler before its first await is timed by run, and the agent takes samples, which give each task its
 * CPU time ({@link Samples}).
 */
export class CpuMeter {
  readonly #shared: Shared;
  readonly #budget: number;
  readonly #mode: 'exact' | 'sync' | 'off';
  readonly #none: Cell = { slot: CURRENT.none, taskId: -1, cpuMs: 0, blockMs: 0, ended: false };
  readonly #macrotasks = createHook(withoutPromises(() => this.#onMacrotask()));
  readonly #samples: Samples | undefined;
  readonly #allocation: Allocation | undefined;
  /** Asked before exact metering begins; undefined where it begins whatever it may cost. */
  readonly #rate: RunRate | undefined;
  #firstLook: NodeJS.Timeout | undefined;
  #stopPromiseHook: (() => void) | undefined;
  readonly #waiting = new Waiting();
  #last: Cell = this.#none;
  #lastMs = 0;
  #idleMs = 0;
  #hops = 0;
  #macrotaskCount = 0;
  /** Cost in ms that is not yet covered by the budget of the time since. */
  #debtMs = 0;
  /** Time of the runs that began and returned within the present one, where only that is timed. */
  #innerMs = 0;
  #pauseMs = FIRST_PAUSE_MS;
  #pausedUntil = 0;
  /** Grows whenever exact metering is switched on or off. */
  epoch: number = 0;

  constructor(shared: Shared, options: CpuMeterOptions) {
    this.#shared = shared;
    this.#budget = options.budget;
    const { mode, tally } = options;
    if (mode === 'off') this.#mode = mode;
    else {
      const mayBeExact = mode === 'auto' || mode === 'exact';
      this.#mode = mayBeExact && supportsExact(options.nodeOptions) ? 'exact' : 'sync';
    }
    if (mode === 'auto' && this.#mode === 'exact' && this.#budget < 1)
      this.#rate = new RunRate(this.#budget, HOP_NS / 1e6);
    if (tally === undefined) return;
    if (mode === 'auto' || mode === 'sampled') this.#samples = this.#openSamples(tally);
    if (this.#mode === 'exact')
      this.#allocation = new Allocation((taskId, bytes) => tally.add(taskId, 'allocated', bytes));
  }

  start(): void {
    if (this.#mode !== 'exact') this.#samples?.start();
    else if (this.#rate === undefined) this.#on();
    else this.#shared.i32[I32.current] = CURRENT.unknown;
  }

  stop(): void {
    clearTimeout(this.#firstLook);
    if (this.#stopPromiseHook !== undefined) this.#off();
    this.#samples?.stop();
  }

  /** Calls a handler with its run charged for the part until it returns. */
  enter<T>(run: Run, call: () => T): T {
    run.called = true;
    if (this.#stopPromiseHook !== undefined) return this.#enterExact(run, call);
    return this.#mode === 'off' ? call() : this.#enterSync(run, call);
  }

  /** Charges what is open to a run that ends in this very moment. */
  close(run: Run): void {
    this.#rate?.end();
    if (this.#last === run) this.#switchTo(this.#none, false);
  }

  /** Charges what is open to a run that goes on. */
  bringUpToDate(run: Run): void {
    if (this.#last === run) this.#switchTo(run, false);
  }

  quality(run: Run): CpuQuality {
    if (this.#mode === 'off') return 'off';
    if (run.meteringEpoch !== this.epoch) return 'warming';
    return this.#stopPromiseHook === undefined ? 'sync_only' : 'exact';
  }

  /** Whether the CPU time of a run's task comes from samples: then the run's own is part of it. */
  isSampled(run: Run): boolean {
    return run.meteringEpoch === this.epoch && this.#samples?.isLive === true;
  }

  /**
   * Compares the cost of exact metering with its budget, at every heartbeat. Cost may run ahead of the budget by what the budget
   * allows in BURST_MS, so that a short burst of work after a pause is metered.
   *
   * @param nowMs ms of performance.now(), @param elapsedMs since the last check
   */
  check(nowMs: number, elapsedMs: number): void {
    const { f64 } = this.#shared;
    f64[F64.unattributedMs] = Math.max(f64[F64.unattributedMs]!, this.#none.cpuMs);
    if (this.#mode !== 'exact') return;
    this.#allocation?.check(elapsedMs);
    if (this.#stopPromiseHook === undefined) {
      this.#choose(nowMs);
      return;
    }
    const costMs = (this.#hops * HOP_NS + this.#macrotaskCount * MACROTASK_NS) / 1e6;
    this.#hops = 0;
    this.#macrotaskCount = 0;
    this.#debtMs = Math.max(0, this.#debtMs + costMs - this.#budget * elapsedMs);
    if (this.#debtMs <= this.#budget * BURST_MS) return;
    this.#off();
    this.#rate?.reset();
    this.#samples?.start();
    this.#pausedUntil = nowMs + this.#pauseMs;
    this.#pauseMs = Math.min(MAX_PAUSE_MS, this.#pauseMs * 2);
  }

  /** Begins exact metering where it is known to be cheap enough, and has samples taken where it is known not to be. */
  #choose(nowMs: number): void {
    if (this.#stopPromiseHook !== undefined || nowMs < this.#pausedUntil) return;
    const isLow = this.#rate === undefined || this.#rate.isLow(nowMs);
    if (isLow === undefined) return;
    if (!isLow) {
      this.#samples?.start();
      return;
    }
    this.#samples?.stop();
    this.#on();
  }

  /** Of the first run only this much is not metered exactly, if it is alone. */
  #lookSoon(): void {
    clearTimeout(this.#firstLook);
    // A timer may come up to a millisecond early.
    this.#firstLook = setTimeout(() => this.#choose(threadMs()), RunRate.firstLookMs + 1).unref();
  }

  #on(): void {
    this.epoch++;
    this.#debtMs = 0;
    this.#last = this.#none;
    this.#waiting.start();
    this.#lastMs = threadMs();
    this.#idleMs = nodeTiming.idleTime;
    this.#macrotasks.enable();
    this.#stopPromiseHook = v8.promiseHooks.onBefore(() => {
      this.#hops++;
      const cell = runStorage.getStore() ?? this.#none;
      if (cell !== this.#last) this.#switchTo(cell, false);
    }) as () => void;
    this.#shared.i32[I32.current] = CURRENT.none;
  }

  #off(): void {
    this.#switchTo(this.#none, false);
    this.#allocation?.interrupt();
    this.epoch++;
    this.#macrotasks.disable();
    this.#stopPromiseHook?.();
    this.#stopPromiseHook = undefined;
    this.#shared.i32[I32.current] = CURRENT.unknown;
  }

  /** A macrotask begins: even if the same run goes on, the loop had its turn in between. */
  #onMacrotask(): void {
    this.#macrotaskCount++;
    this.#switchTo(runStorage.getStore() ?? this.#none, true);
    this.#shared.f64[F64.turnAt] = this.#lastMs;
  }

  #switchTo(cell: Cell, mayHaveIdled: boolean): void {
    const at = threadMs();
    let slice = at - this.#lastMs;
    this.#lastMs = at;
    if (mayHaveIdled || slice > TRUSTED_SLICE_MS) {
      const idle = nodeTiming.idleTime;
      slice -= idle - this.#idleMs;
      this.#idleMs = idle;
    }
    const last = this.#last.ended ? this.#none : this.#last;
    last.cpuMs += this.#waiting.without(slice);
    this.#allocation?.switched(last, slice);
    if (slice > last.blockMs) last.blockMs = slice;
    this.#last = cell;
    this.#shared.i32[I32.current] = cell.slot;
  }

  #openSamples(tally: Tally): Samples {
    return new Samples(this.#shared, {
      onTask: ({ taskId }, ms) => {
        tally.add(taskId, 'cpu_sampled', ms);
        tally.add(taskId, 'cpu_samples', 1);
      },
      onRest: (ms) => {
        this.#none.cpuMs += ms;
      },
    });
  }

  #enterExact<T>(run: Run, call: () => T): T {
    const outer = this.#last;
    this.#switchTo(run, false);
    try {
      return call();
    } finally {
      this.#switchTo(outer, false);
    }
  }

  #enterSync<T>(run: Run, call: () => T): T {
    const { i32, f64 } = this.#shared;
    const outer = i32[I32.current]!;
    i32[I32.current] = run.slot;
    const innerOfOuter = this.#innerMs;
    this.#innerMs = 0;
    const start = threadMs();
    if (this.#rate?.begin(start) === true) this.#lookSoon();
    f64[F64.turnAt] = start;
    try {
      return call();
    } finally {
      const all = threadMs() - start;
      run.cpuMs = all - this.#innerMs;
      run.blockMs = run.cpuMs;
      this.#innerMs = innerOfOuter + all;
      i32[I32.current] = outer;
    }
  }
}

/** `trackPromises: false` (Node.js 24.14 and later) keeps async_hooks off promises, where they are slow. */
function withoutPromises(before: () => void): Parameters<typeof createHook>[0] {
  return { before, trackPromises: false } as Parameters<typeof createHook>[0];
}

/**
 * Exact metering needs AsyncLocalStorage on async context frames (the default since Node.js 24), or each hook would cost
 * several times as much, and `trackPromises`, which Node.js reads only where it knows it.
 */
export function supportsExact(nodeOptions: readonly string[]): boolean {
  if (Number(process.versions.node.split('.')[0]) < 24) return false;
  if (nodeOptions.some((option) => option.includes('no-async-context-frame'))) return false;
  let read = false;
  createHook({
    before() {},
    get trackPromises() {
      read = true;
      return false;
    },
  } as Parameters<typeof createHook>[0]);
  return read;
}
