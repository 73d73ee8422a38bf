import { openSync, readSync } from 'node:fs';

/** The kernel's account of the calling thread; undefined where there is none, as outside of Linux. */
const SCHEDSTAT = open();
const text = Buffer.alloc(96);

function open(): number | undefined {
  try {
    return openSync('/proc/thread-self/schedstat', 'r');
  } catch {
    return undefined;
  }
}

/** Whether time that the thread waits for a CPU is left out of {@link threadClock}. */
export const KNOWS_WAITING: boolean = SCHEDSTAT !== undefined;

/**
 * A clock of the thread, ms, that stands still while the thread is ready and another one has its CPU. The CPU time that Node.js tells moves
 * in steps of up to 4 ms, which is as long as a piece of work; what the kernel has had the thread wait (second field of schedstat, ns)
 * is up to date whenever the thread runs. It goes on while the thread sleeps, so it is to be read around work alone.
 */
export function threadClock(): number {
  if (SCHEDSTAT === undefined) return performance.now();
  for (;;) {
    const waited = waitedMs(SCHEDSTAT);
    const at = performance.now();
    // Otherwise it has waited just in between.
    if (waitedMs(SCHEDSTAT) === waited) return at - waited;
  }
}

function waitedMs(file: number): number {
  const length = readSync(file, text, 0, text.length, 0);
  return Number(text.toString('latin1', 0, length).split(' ', 2)[1]) / 1e6;
}
