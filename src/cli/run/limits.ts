import { findControlGroups, oomKills } from '../../host/cgroup-paths.ts';
import type { KernelFiles } from '../../host/files.ts';
import { type LimitBy, sizeText } from './arguments.ts';
import { openGroups } from './groups.ts';

export interface Wanted {
  /** Bytes. */
  readonly memory: number | undefined;
  /** Cores. */
  readonly cpu: number | undefined;
  readonly by: LimitBy | undefined;
}

/** How the limits are put in force. */
export interface Limits {
  /** What is said of them, one line; '' where none are wanted. */
  readonly about: string;
  /** What comes before the command. */
  readonly prefix: readonly string[];
  /** Options for NODE_OPTIONS. */
  readonly nodeOptions: readonly string[];
  /** Kills that the kernel has made so far, for want of memory, of processes that count here; NaN where it does not tell. */
  readonly oomKills: () => number;
  /** Takes back what was set up, after the worker's end. */
  release(): void;
}

export interface LimitsHost {
  readonly files: KernelFiles;
  /** Whether a program is installed. */
  readonly has: (program: string) => boolean;
  readonly isRoot: boolean;
  readonly pid: number;
}

const MIB = 1024 * 1024;
/** Share of the memory that the old generation gets where nothing else bounds the process; the rest is for what is not in the heap. */
const OLD_SPACE = 0.75;
/** Beyond the limit: what Node.js maps, such as stacks of threads, without using it. */
const DATA_SLACK = 512 * MIB;

/**
 * Puts limits in force by what works here: control groups where they may be written, else a scope of systemd, else what Node.js and
 * the process itself can be told.
 *
 * @throws Error with what stands in the way of the wanted way
 */
export function openLimits(wanted: Wanted, host: LimitsHost): Limits {
  const { memory, cpu, by } = wanted;
  if (memory === undefined && cpu === undefined) return { ...NOTHING, oomKills: ownKills(host.files) };
  const reasons: string[] = [];
  const ways: Readonly<Record<LimitBy, () => Limits>> = {
    cgroup: () => byGroups(wanted, host),
    'systemd-run': () => bySystemd(wanted, host),
    node: () => byNode(wanted, host, reasons),
  };
  for (const way of by === undefined ? (['cgroup', 'systemd-run', 'node'] as const) : [by]) {
    try {
      return ways[way]();
    } catch (error) {
      reasons.push(`${way}: ${(error as Error).message}`);
    }
  }
  throw new Error(`the limits cannot be put in force: ${reasons.join('; ')}`);
}

const NOTHING = { about: '', prefix: [], nodeOptions: [], release: () => {} };

/** Kills in the group that this process is in, where the limit is somebody else's: a container's. */
function ownKills(files: KernelFiles): () => number {
  const group = findControlGroups(files).of('memory');
  if (group === undefined) return () => Number.NaN;
  return () => oomKills(files, group) ?? Number.NaN;
}

function byGroups(wanted: Wanted, host: LimitsHost): Limits {
  const groups = openGroups(wanted, host);
  return {
    ...NOTHING,
    about: `${wantedText(wanted)} by cgroup v${groups.version}: ${groups.folders.join(', ')}`,
    // The shell moves itself, and becomes the command: the worker is in the group from its first moment.
    prefix: ['/bin/sh', '-c', JOIN, 'taskwarden', String(groups.folders.length), ...groups.folders],
    oomKills: groups.oomKills,
    release: groups.release,
  };
}

const JOIN = `n=$1; shift
while [ "$n" -gt 0 ]; do echo $$ > "$1/cgroup.procs" || exit 126; shift; n=$((n-1)); done
exec "$@"`;

function bySystemd(wanted: Wanted, { files, has, isRoot }: LimitsHost): Limits {
  if (!files.exists('/run/systemd/system')) throw new Error('systemd does not run here');
  if (!has('systemd-run')) throw new Error('systemd-run is not installed');
  const { memory, cpu } = wanted;
  const properties = [
    ...(memory === undefined ? [] : [`MemoryMax=${memory}`, 'MemorySwapMax=0']),
    ...(cpu === undefined ? [] : [`CPUQuota=${cpu * 100}%`]),
  ];
  return {
    ...NOTHING,
    about: `${wantedText(wanted)} by systemd-run --scope`,
    prefix: [
      'systemd-run',
      '--scope',
      '--quiet',
      '--collect',
      ...(isRoot ? [] : ['--user']),
      ...properties.flatMap((property) => ['-p', property]),
      '--',
    ],
    oomKills: () => Number.NaN,
  };
}

/** @param reasons why better ways were not taken */
function byNode({ memory, cpu }: Wanted, { has }: LimitsHost, reasons: readonly string[]): Limits {
  const notes = reasons.length === 0 ? '' : ` (${reasons.join('; ')})`;
  if (memory === undefined)
    return { ...NOTHING, about: `--cpu ${cpu} is not in force${notes}`, oomKills: () => Number.NaN };
  const oldSpace = Math.max(16, Math.floor((memory * OLD_SPACE) / MIB));
  const data = has('prlimit') ? memory + DATA_SLACK : undefined;
  const parts = [
    `memory ${sizeText(memory)} by --max-old-space-size=${oldSpace}`,
    ...(data === undefined ? [] : [` and prlimit --data=${data}`]),
    ...(cpu === undefined ? [] : [`; --cpu ${cpu} is not in force`]),
  ];
  return {
    ...NOTHING,
    about: `${parts.join('')}${notes}`,
    prefix: data === undefined ? [] : ['prlimit', `--data=${data}`],
    nodeOptions: [`--max-old-space-size=${oldSpace}`],
    oomKills: () => Number.NaN,
  };
}

function wantedText({ memory, cpu }: Wanted): string {
  const parts = [
    ...(memory === undefined ? [] : [`memory ${sizeText(memory)}`]),
    ...(cpu === undefined ? [] : [`cpu ${cpu}`]),
  ];
  return parts.join(', ');
}
