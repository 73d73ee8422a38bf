import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

const SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT'];

/**
 * Calls `flush` once when the process ends: at its natural end, at `process.exit`, after an uncaught exception, and at a
 * signal that nobody else listens to, whose own effect then follows. Returns what takes this back.
 */
export function flushAtExit(flush: () => void): () => void {
  let flushed = false;
  const once = (): void => {
    if (flushed) return;
    flushed = true;
    flush();
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    // With a listener of the host's, the host decides what the signal does; its exit comes by 'exit'.
    if (process.listenerCount(signal) > 1) return;
    once();
    process.off(signal, onSignal);
    process.kill(process.pid, signal);
  };
  process.on('exit', once);
  for (const signal of SIGNALS) if (!isIgnored(signal)) process.on(signal, onSignal);
  return () => {
    process.off('exit', once);
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
}

/**
 * Whether the process was started with a signal ignored (`nohup`, a shell's background job). A listener would end that: Node.js
 * restores the default effect, not the ignoring, when it goes.
 */
function isIgnored(signal: NodeJS.Signals): boolean {
  try {
    const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
    return ((BigInt(`0x${mask}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n;
  } catch {
    return false;
  }
}
