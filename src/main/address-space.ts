import { readFileSync } from 'node:fs';

/** What V8 reserves for another thread, and some room for the program: 0.6 to 0.9 GB with Node.js 22 to 26, most of it never used. */
const THREAD_BYTES = 2 ** 30;
/** Of the kernel's, on all machines but a few. */
const PAGE_BYTES = 4096;

/**
 * The limit of the process's address space, bytes, where it leaves none for another thread: V8 ends the process then. Undefined where there
 * is enough, or nothing is known (source: RLIMIT_AS of getrlimit(2), proc_pid_statm(5)).
 */
export function narrowAddressSpace(): number | undefined {
  try {
    const limit = Number(/^Max address space +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1]);
    if (Number.isNaN(limit)) return undefined;
    const pages = Number.parseInt(readFileSync('/proc/self/statm', 'latin1'), 10);
    return limit - pages * PAGE_BYTES < THREAD_BYTES ? limit : undefined;
  } catch {
    return undefined;
  }
}
