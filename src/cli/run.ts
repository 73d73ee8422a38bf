import { accessSync, constants } from 'node:fs';
import { constants as os } from 'node:os';
import { delimiter, join } from 'node:path';
import { type Config, loadConfig } from '../config/config.ts';
import { KernelFiles } from '../host/files.ts';
import { TaskwardenError } from '../model/errors.ts';
import { type ExitCode, FINE, FOUND, type Io } from './io.ts';
import { parseRun, RUN_USAGE, type RunArguments } from './run/arguments.ts';
import { type Limits, openLimits } from './run/limits.ts';
import { Supervisor } from './run/supervisor.ts';
import { UseError } from './use.ts';

const CANNOT_RUN = 126;
const NOT_FOUND = 127;

/** Runs a worker, tells of its death, and starts it again; ends as the worker does. */
export async function runRun(
  io: Io,
  args: readonly string[],
  wrongUse: (message: string, usage: string) => ExitCode,
): Promise<ExitCode> {
  let asked: RunArguments;
  try {
    asked = parseRun(args);
  } catch (error) {
    if (!(error instanceof UseError)) throw error;
    return wrongUse(error.message, RUN_USAGE);
  }
  if (asked.help) {
    io.out(RUN_USAGE);
    return FINE;
  }
  let config: Config;
  let limits: Limits;
  try {
    config = loadConfig({ env: io.env, cwd: io.cwd });
    limits = openLimits({ ...asked, by: asked.limitBy }, host(io));
  } catch (error) {
    if (!(error instanceof TaskwardenError) && asked.limitBy === undefined) throw error;
    io.err(`taskwarden: ${(error as Error).message}`);
    return FOUND;
  }
  if (limits.about !== '') io.err(`taskwarden: ${limits.about}`);
  const supervisor = new Supervisor({ io, config, limits, asked });
  try {
    const end = await supervisor.run();
    limits.release();
    return endAs(end);
  } catch (error) {
    limits.release();
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    io.err(`taskwarden: ${asked.command[0]}: ${(error as Error).message}`);
    return process.exit(code === 'ENOENT' ? NOT_FOUND : CANNOT_RUN);
  }
}

/** Ends this process as the worker ended: a shell tells a Ctrl-C by the signal, not by the code. */
function endAs({
  code,
  signal,
}: {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}): never {
  if (signal !== null && ['SIGTERM', 'SIGINT', 'SIGHUP'].includes(signal)) {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  }
  return process.exit(signal === null ? (code ?? FOUND) : 128 + os.signals[signal]);
}

function host({ env }: Io) {
  const folders = (env.PATH ?? '').split(delimiter);
  const has = (program: string): boolean => folders.some((folder) => isExecutable(join(folder, program)));
  return { files: new KernelFiles('/'), has, isRoot: process.getuid?.() === 0, pid: process.pid };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
