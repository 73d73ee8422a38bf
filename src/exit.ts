import { constants } from 'node:os';

/** Signals that end a process by default and by which workers are stopped. Node.js gives them their default effect at its start, even under nohup. */
const SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP'];

/** The first process of a container lives on when there is no listener to a signal: Linux knows no default effect for it. */
const FIRST_PID = 1;

/** How the process ends; `code` is its exit code, or the number of the signal. */
export interface ProcessEnd {
  readonly kind: 'exit' | 'exception' | 'signal';
  readonly code: number;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

export interface AtExit {
  /** Replaces a method of an object until the function that it gives back is called; throws where it cannot. */
  readonly replace: (target: object, name: string, wrap: (original: Method) => Method) => () => void;
  readonly flush: (end: ProcessEnd) => void;
  /** The host listens to SIGHUP, so that it ends nothing of itself: by custom configuration is to be read again. */
  readonly hangUp?: () => void;
  /** The host has been told to stop by a signal that it listens to itself: its number. */
  readonly stopping?: (signal: number) => void;
}

/**
 * Calls `flush` once when the process ends: at its natural end, at `process.exit`, after an uncaught exception, and at a
 * signal that nobody else listens to, whose own effect then follows: at once where the program sends it to itself, as without a
 * listener. Returns what takes this back.
 */
export function flushAtExit({ replace, flush, hangUp, stopping }: AtExit): () => void {
  let flushed = false;
  let thrown = false;
  const once = (end: ProcessEnd): void => {
    if (flushed) return;
    flushed = true;
    flush(end);
  };
  const forgetSignals = (): void => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
  const onExit = (code: number): void => {
    once({ kind: thrown && code !== 0 ? 'exception' : 'exit', code });
    // The loop turns no more: a signal from now on would be heard by nobody.
    forgetSignals();
  };
  const onException = (): void => {
    // With a listener the host decides what comes of it.
    thrown = process.listenerCount('uncaughtException') === 0;
  };
  const onSignal = (signal: NodeJS.Signals, number?: number): void => {
    // A program that only emits the event wants its listeners called, not its end.
    if (number === undefined) return;
    const isHosts = process.listenerCount(signal) - 1 > signalExitListeners();
    // With a listener of the host's, the host decides what the signal does; its exit comes by 'exit'.
    if (isHosts || process.pid === FIRST_PID) {
      if (signal === 'SIGHUP' && isHosts) hangUp?.();
      else stopping?.(constants.signals[signal]);
      return;
    }
    once({ kind: 'signal', code: constants.signals[signal] });
    process.off(signal, onSignal);
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  /** The loop may never turn again after it, for the listener to be called. */
  const toSelf = (signal: unknown): void => {
    const name = SIGNALS.find((each) => each === signal || constants.signals[each] === signal);
    if (name === undefined || process.pid === FIRST_PID) return;
    if (process.listenerCount(name) !== 1 || process.listeners(name)[0] !== onSignal) return;
    once({ kind: 'signal', code: constants.signals[name] });
    process.off(name, onSignal);
  };
  const undoKill = replaceKill(replace, toSelf);
  // Node.js warns of a leak from eleven listeners on: as many as without ours are the host's.
  const most = process.getMaxListeners();
  if (most > 0) process.setMaxListeners(most + 1);
  process.on('exit', onExit);
  process.on('uncaughtExceptionMonitor', onException);
  // First in the row, so that a listener that the host has set for one signal alone is still there to be counted.
  for (const signal of SIGNALS) process.prependListener(signal, onSignal);
  return () => {
    process.off('exit', onExit);
    process.off('uncaughtExceptionMonitor', onException);
    forgetSignals();
    undoKill();
    if (most > 0 && process.getMaxListeners() === most + 1) process.setMaxListeners(most);
  };
}

/** Has `toSelf` called before the program sends a signal to itself. */
function replaceKill(replace: AtExit['replace'], toSelf: (signal: unknown) => void): () => void {
  try {
    return replace(process, 'kill', (original) => {
      return function (this: unknown, pid, signal = 'SIGTERM') {
        if (pid === process.pid) toSelf(signal);
        return original.call(this, pid, signal);
      };
    });
  } catch {
    // Frozen, or replaced by another copy of taskwarden, which does the same.
    return () => {};
  }
}

/**
 * Listeners to each signal of the package `signal-exit`, which many packages bring: it ends the process itself once its listeners are the
 * only ones (its versions before 4 keep their count elsewhere).
 */
function signalExitListeners(): number {
  const emitters = [
    Reflect.get(globalThis, Symbol.for('signal-exit emitter')),
    Reflect.get(process, '__signal_exit_emitter__'),
  ] as ({ count?: unknown } | undefined)[];
  return emitters.reduce((sum, emitter) => sum + (Number(emitter?.count) || 0), 0);
}
