import { openSync, readFileSync, readSync } from 'node:fs';
import { fieldsAfterName } from '../../host/files.ts';

const TICKS_PER_S = 100;
/** How exactly the kernel tells when a process began, s. */
const TICK_S = 1 / TICKS_PER_S;

/** What the kernel says of the main thread, from outside. Linux alone; elsewhere nothing is known. */
export class ThreadState {
  readonly #folder: string;
  readonly #fd: number | undefined;
  readonly #buffer = Buffer.alloc(128);

  /** @param folder of the thread, for tests */
  constructor(folder: string = `/proc/self/task/${process.pid}`) {
    this.#folder = folder;
    this.#fd = attempt(() => openSync(`${folder}/schedstat`, 'r'));
  }

  /** Time that it has been on a CPU since its start, ms (source: Documentation/scheduler/sched-stats.rst). A few microseconds. */
  cpuMs(): number | undefined {
    const fd = this.#fd;
    if (fd === undefined) return undefined;
    return attempt(() => {
      const length = readSync(fd, this.#buffer, 0, this.#buffer.length, 0);
      const ns = Number.parseInt(this.#buffer.toString('latin1', 0, length), 10);
      return ns > 0 ? ns / 1e6 : undefined;
    });
  }

  /** R runs or waits for a CPU, S sleeps, D waits for a device, t is held by a debugger (source: proc_pid_stat(5)). */
  state(): string | undefined {
    return attempt(() => fields(`${this.#folder}/stat`)[0]);
  }

  /** Whether it has started a process that still runs within the last `ms`. */
  hasChildSince(ms: number): boolean {
    return (
      attempt(() => {
        const uptime = Number.parseFloat(readFileSync('/proc/uptime', 'latin1'));
        const pids = readFileSync(`${this.#folder}/children`, 'latin1').split(' ').filter(Boolean);
        // Field 22, counted from the state, which is field 3.
        return pids.some((pid) => {
          const started = attempt(() => Number(fields(`/proc/${pid}/stat`)[19]) / TICKS_PER_S);
          return started !== undefined && uptime - started <= ms / 1000 + TICK_S;
        });
      }) ?? false
    );
  }
}

/** The fields of a stat file from the state on. */
function fields(path: string): string[] {
  return fieldsAfterName(readFileSync(path, 'latin1'));
}

function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
