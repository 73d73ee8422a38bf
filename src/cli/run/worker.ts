import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { wallClock } from '../../model/clock.ts';

/** Signals that a supervisor passes on. */
export const PASSED_ON: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];

export interface WorkerEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** ms since the Unix epoch. */
  readonly at: number;
}

export interface Worker {
  readonly pid: number;
  readonly startedAt: number;
  readonly ended: Promise<WorkerEnd>;
  kill(signal: NodeJS.Signals): void;
}

/**
 * Starts the worker with this process's terminal.
 *
 * @throws Error with the code of the system where it cannot be started
 */
export async function startWorker(
  [program, ...args]: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
): Promise<Worker> {
  const child: ChildProcess = spawn(program!, args, { env, cwd, stdio: 'inherit' });
  const ended = new Promise<WorkerEnd>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal, at: wallClock() }));
  });
  await once(child, 'spawn');
  // A signal to a worker that has just ended fails, which changes nothing.
  child.on('error', () => {});
  return { pid: child.pid!, startedAt: wallClock(), ended, kill: (signal) => void child.kill(signal) };
}
