import { readFileSync } from 'node:fs';
import { fieldsAfterName } from '../host/files.ts';

/** A process of this machine, told apart from a later one that has its number. */
export interface ProcessId {
  readonly pid: number;
  /** Ticks from the machine's start to the process's; 0 where the system does not tell. */
  readonly start: number;
}

export function ownProcess(): ProcessId {
  return { pid: process.pid, start: startOf('self') ?? 0 };
}

/** Whether that process runs, as far as can be seen from here: of another container's processes nothing can. */
export function isRunning({ pid, start }: ProcessId): boolean {
  if (start !== 0) return startOf(pid) === start;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The command line of this process, which a thread's `process.argv` does not give; '' where the system does not tell. */
export function commandLine(): string {
  return read('/proc/self/cmdline') ?? '';
}

/** Field 22 of its stat file. */
function startOf(pid: number | 'self'): number | undefined {
  const start = Number(fieldsAfterName(read(`/proc/${pid}/stat`) ?? '')[19]);
  return Number.isSafeInteger(start) ? start : undefined;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
