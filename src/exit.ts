/** Signals that end a process by default and by which workers are stopped. Node.js gives them their default effect at its start, even under nohup. */
const SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP'];

/**
 * Calls `flush` once when the process ends: at its natural end, at `process.exit`, after an uncaught exception, and at a
 * signal that nobody else listens to, whose own effect then follows. Where the host listens to SIGHUP, so that it ends nothing of
 * itself, `hangUp` is called as well: by custom it says that configuration is to be read again. Returns what takes this back.
 */
export function flushAtExit(flush: () => void, hangUp: () => void = () => {}): () => void {
  let flushed = false;
  const once = (): void => {
    if (flushed) return;
    flushed = true;
    flush();
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    // With a listener of the host's, the host decides what the signal does; its exit comes by 'exit'.
    if (process.listenerCount(signal) > 1) {
      if (signal === 'SIGHUP') hangUp();
      return;
    }
    once();
    process.off(signal, onSignal);
    process.kill(process.pid, signal);
  };
  process.on('exit', once);
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return () => {
    process.off('exit', once);
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
}
