import { parseDuration } from '../../model/duration.ts';
import { UseError } from '../use.ts';

export const RUN_USAGE = `Usage:
  taskwarden run [options] -- COMMAND [ARGUMENT]...

Runs a worker with Taskwarden preloaded (by NODE_OPTIONS, which the worker's own children inherit), tells of its death with the
tasks that were in flight, and starts it again if it is told to.

  --memory SIZE       most memory of the worker and its children, such as 512M or 2G
  --cpu NUMBER        most CPU time, in cores: 0.5 is half of one
  --limit-by WHAT     cgroup, systemd-run or node (--max-old-space-size and prlimit); default: the first that works here
  --restart[=N]       starts it again after a death, N times at most; not after exit code 0 and not after a signal to stop
  --backoff TIME      pause before the first restart, default 1s; it doubles up to a minute, and starts over after a minute of running
  -h, --help

SIGTERM, SIGINT, SIGHUP, SIGQUIT and SIGUSR2 are passed on. From a terminal Ctrl-C reaches the worker anyway, and is not.

Exit codes: that of the worker, or 128 and the number of the signal that ended it; 126 and 127 where the command cannot be run;
1 where Taskwarden cannot run as configured, 2 wrong use.`;

export type LimitBy = 'cgroup' | 'systemd-run' | 'node';
const LIMIT_BY: readonly LimitBy[] = ['cgroup', 'systemd-run', 'node'];

export interface RunArguments {
  readonly help: boolean;
  /** Bytes. */
  readonly memory: number | undefined;
  /** Cores. */
  readonly cpu: number | undefined;
  readonly limitBy: LimitBy | undefined;
  /** 0 for none. */
  readonly restarts: number;
  /** ms. */
  readonly backoff: number;
  /** The program and its arguments. */
  readonly command: readonly string[];
}

const MIB = 1024 * 1024;
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1024,
  m: MIB,
  g: 1024 * MIB,
  t: 1024 * 1024 * MIB,
};
/** Node.js does not start with less. */
const LEAST_MEMORY = 32 * MIB;
const VALUED = ['--memory', '--cpu', '--limit-by', '--backoff'];

/** @throws UseError that says what is wrong with the arguments */
export function parseRun(args: readonly string[]): RunArguments {
  const values = new Map<string, string>();
  let at = 0;
  for (; at < args.length && args[at] !== '--' && args[at]!.startsWith('-'); at++) {
    const arg = args[at]!;
    const equals = arg.indexOf('=');
    const name = equals < 0 ? arg : arg.slice(0, equals);
    if (name === '--help' || name === '-h' || (name === '--restart' && equals < 0)) values.set(name, '');
    else if (name !== '--restart' && !VALUED.includes(name)) throw new UseError(`unknown option "${name}"`);
    else if (equals >= 0) values.set(name, arg.slice(equals + 1));
    else if (++at < args.length && args[at] !== '--') values.set(name, args[at]!);
    else throw new UseError(`${name} wants a value`);
  }
  const command = args[at] === '--' ? args.slice(at + 1) : args.slice(at);
  const help = values.has('--help') || values.has('-h');
  if (command.length === 0 && !help) throw new UseError('run wants a command after --');
  const own = <T>(name: string, read: (text: string) => T | undefined, allowed: string): T | undefined => {
    const text = values.get(name);
    if (text === undefined) return undefined;
    const value = read(text);
    if (value === undefined) throw new UseError(`${name}: "${text}" is not allowed; allowed: ${allowed}`);
    return value;
  };
  return {
    help,
    memory: own('--memory', parseSize, 'a size from 32M, such as 512M or 2G'),
    cpu: own('--cpu', parseCores, 'a number of cores from 0.01, such as 0.5'),
    limitBy: own('--limit-by', (text) => LIMIT_BY.find((one) => one === text), LIMIT_BY.join(', ')),
    restarts: own('--restart', parseRestarts, 'a number from 0') ?? 0,
    backoff: own('--backoff', parsePause, 'a duration from 10ms to 1m, such as 1s') ?? 1000,
    command,
  };
}

/** `512M`, `1.5GiB`, `1000000` in bytes: the units are powers of 1024. */
function parseSize(text: string): number | undefined {
  const [, count, unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text.trim()) ?? [];
  const bytes = Math.floor(Number(count) * UNITS[unit.toLowerCase()]!);
  return bytes >= LEAST_MEMORY && bytes <= Number.MAX_SAFE_INTEGER ? bytes : undefined;
}

function parseCores(text: string): number | undefined {
  const cores = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  return cores >= 0.01 && cores <= 10_000 ? cores : undefined;
}

function parseRestarts(text: string): number | undefined {
  if (text === '') return Number.POSITIVE_INFINITY;
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function parsePause(text: string): number | undefined {
  const ms = parseDuration(text);
  return ms !== undefined && ms >= 10 && ms <= 60_000 ? ms : undefined;
}

/** `536870912` as `512M`. */
export function sizeText(bytes: number): string {
  for (const [unit, size] of Object.entries(UNITS).reverse())
    if (bytes % size === 0) return `${bytes / size}${unit.toUpperCase()}`;
  return String(bytes);
}
