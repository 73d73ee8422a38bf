import { createHook } from 'node:async_hooks';
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers';
import promises from 'node:timers/promises';
import { getCallSites } from 'node:util';
import { threadMs } from '../model/clock.ts';
import { type Run, runStorage } from '../tasks/context.ts';
import { replaceMethod } from './patch.ts';

export interface TimerWatchOptions {
  /** A one-shot timer as short as this cannot be open so long after the run that made it, ms. */
  readonly graceMs: number;
  readonly opened: (run: Run, timer: object) => void;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Longer delays are 1 ms to Node.js. */
const MAX_DELAY_MS = 2 ** 31 - 1;
/** So often a second it is found out who makes a timer after its run's end, once a callback; it costs 10 µs. */
const LATE_A_SECOND = 100;
/** Whose timers belong to connections, not to the run in whose context they happen to be made. */
const OF_CONNECTIONS = /^node:|[\\/]node_modules[\\/](undici|pg-pool)[\\/]/;
/** Frames from the one that asks for them to the caller of the timer function. */
const CALLER = 3;

/**
 * Tells of the timers that a run makes, as far as they can outlive it: intervals, one-shot timers longer than the grace, and any that
 * what a run has left behind makes after its end. There is no diagnostics channel for timers, and async hooks cost every
 * job more than a call of a function costs those that make a timer.
 */
export function watchTimers({ graceMs, opened }: TimerWatchOptions): () => void {
  const ofRuns = new WeakMap<object, boolean>();
  let lateSecond = -1;
  let lateLeft = 0;

  /** Whether a late timer is the run's own. Not so when there is no time left to find out. */
  function isOfRun(callback: object): boolean {
    const known = ofRuns.get(callback);
    if (known !== undefined) return known;
    const second = Math.floor(threadMs() / 1000);
    if (second !== lateSecond) {
      lateSecond = second;
      lateLeft = LATE_A_SECOND;
    }
    if (lateLeft-- <= 0) return false;
    const found = !isOfConnection();
    ofRuns.set(callback, found);
    return found;
  }

  function watched(original: Method, isInterval: boolean): Method {
    return function (this: unknown, ...args) {
      const timer = original.apply(this, args);
      const run = runStorage.getStore();
      if (run === undefined) return timer;
      const lasts = isInterval || outlives(args[1], graceMs);
      if (run.ended ? isOfRun(args[0] as object) : lasts) opened(run, timer as object);
      return timer;
    };
  }

  const undo: (() => void)[] = [];
  function replace(target: object, name: string, wrap: (original: Method) => Method): void {
    try {
      undo.push(replaceMethod(target, name, wrap));
    } catch {
      // Frozen intrinsics, or another copy of taskwarden: these timers stay unseen.
    }
  }
  for (const name of ['setTimeout', 'setInterval'] as const) {
    replace(globalThis, name, (original) => watched(original, name === 'setInterval'));
    if (undo.length > 0) replaceAlias(name);
  }
  replace(promises, 'setTimeout', (original) => promised(original, graceMs, opened));
  syncBuiltinESMExports();

  /** `node:timers` has the same functions as the global object, and goes on to have. */
  function replaceAlias(name: 'setTimeout' | 'setInterval'): void {
    const own = Object.getOwnPropertyDescriptor(timers, name)!;
    const replacement = globalThis[name];
    Object.defineProperty(timers, name, { ...own, value: replacement });
    undo.push(() => {
      if (timers[name] === replacement) Object.defineProperty(timers, name, own);
    });
  }

  return () => {
    for (const each of undo) each();
    syncBuiltinESMExports();
  };
}

/** The promise has its timer hidden within: a hook that is on for the call alone sees it. */
function promised(original: Method, graceMs: number, opened: TimerWatchOptions['opened']): Method {
  let made: object | undefined;
  const hook = createHook({
    init(_id, type, _trigger, resource) {
      if (type === 'Timeout') made ??= resource;
    },
    trackPromises: false,
  } as Parameters<typeof createHook>[0]);
  return function (this: unknown, ...args) {
    const run = runStorage.getStore();
    if (run === undefined || !(run.ended || outlives(args[0], graceMs))) return original.apply(this, args);
    made = undefined;
    hook.enable();
    try {
      return original.apply(this, args);
    } finally {
      hook.disable();
      if (made !== undefined) opened(run, made);
      made = undefined;
    }
  };
}

function outlives(delay: unknown, graceMs: number): boolean {
  if (typeof delay !== 'number' && typeof delay !== 'string') return false;
  return +delay > graceMs && +delay <= MAX_DELAY_MS;
}

function isOfConnection(): boolean {
  const caller = getCallSites(CALLER + 1, { sourceMap: false })[CALLER];
  return caller === undefined || OF_CONNECTIONS.test(caller.scriptName);
}
