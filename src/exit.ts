import { constants } from 'node:os';

/** Signals that end a process by default and by which workers are stopped. Node.js gives them their default effect at its start, even under nohup. */
const SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP'];

/** How the process ends; `code` is its exit code, or the number of the signal. */
export interface ProcessEnd {
  readonly kind: 'exit' | 'exception' | 'signal';
  readonly code: number;
}

export interface AtExit {
  readonly flush: (end: ProcessEnd) => void;
  /** The host listens to SIGHUP, so that it ends nothing of itself: by custom configuration is to be read again. */
  readonly hangUp?: () => void;
  /** The host has been told to stop by a signal that it listens to itself: its number. */
  readonly stopping?: (signal: number) => void;
}

/**
 * Calls `flush` once when the process ends: at its natural end, at `process.exit`, after an uncaught exception, and at a
 * signal that nobody else listens to, whose own effect then follows. Returns what takes this back.
 */
export function flushAtExit({ flush, hangUp, stopping }: AtExit): () => void {
  let flushed = false;
  let thrown = false;
  const once = (end: ProcessEnd): void => {
    if (flushed) return;
    flushed = true;
    flush(end);
  };
  const onExit = (code: number): void => once({ kind: thrown && code !== 0 ? 'exception' : 'exit', code });
  const onException = (): void => {
    // With a listener the host decides what comes of it.
    thrown = process.listenerCount('uncaughtException') === 0;
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    // With a listener of the host's, the host decides what the signal does; its exit comes by 'exit'.
    if (process.listenerCount(signal) > 1) {
      if (signal === 'SIGHUP') hangUp?.();
      else stopping?.(constants.signals[signal]);
      return;
    }
    once({ kind: 'signal', code: constants.signals[signal] });
    process.off(signal, onSignal);
    process.kill(process.pid, signal);
  };
  process.on('exit', onExit);
  process.on('uncaughtExceptionMonitor', onException);
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return () => {
    process.off('exit', onExit);
    process.off('uncaughtExceptionMonitor', onException);
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
}
