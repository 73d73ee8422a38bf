import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { type ControlGroups, findControlGroups, oomKills } from '../../host/cgroup-paths.ts';
import type { KernelFiles } from '../../host/files.ts';

export interface Groups {
  readonly version: 1 | 2;
  /** Folders of the new groups, one in each hierarchy. */
  readonly folders: readonly string[];
  /** NaN where there is no limit of memory. */
  readonly oomKills: () => number;
  release(): void;
}

interface GroupLimits {
  readonly memory: number | undefined;
  readonly cpu: number | undefined;
}

/** Length of the time that a quota of CPU time is for, µs. */
const PERIOD_US = 100_000;
/** The kernel takes no smaller quota, µs. */
const LEAST_QUOTA_US = 1000;

/**
 * Makes control groups with these limits below the one that this process is in.
 *
 * @throws Error what the system says
 */
export function openGroups(limits: GroupLimits, { files, pid }: { files: KernelFiles; pid: number }): Groups {
  const groups = findControlGroups(files);
  const made: string[] = [];
  const release = (): void => {
    // One that is still in use, by what the worker has left running, stays.
    for (const folder of made) attempt(() => rmdirSync(folder));
  };
  try {
    const wanted = (['memory', 'cpu'] as const).filter((name) => limits[name] !== undefined);
    const versions = new Set(wanted.map((name) => ownGroup(groups, name).version));
    if (versions.size > 1) throw new Error('memory and cpu are in hierarchies of different versions');
    const version = [...versions][0]!;
    if (version === 2) makeUnified(groups, wanted, limits, made, pid);
    else for (const name of wanted) makeLegacy(ownGroup(groups, name).folders[0]!, name, limits, made, pid);
    const folders = [...new Set(made)];
    const kills = () => (limits.memory === undefined ? undefined : oomKills(files, { version, folders }));
    return { version, folders, oomKills: () => kills() ?? Number.NaN, release };
  } catch (error) {
    release();
    throw error;
  }
}

function ownGroup(groups: ControlGroups, name: 'memory' | 'cpu') {
  const group = groups.of(name);
  if (group === undefined) throw new Error(`no control group for ${name} is to be seen`);
  return group;
}

function makeLegacy(
  own: string,
  name: 'memory' | 'cpu',
  limits: GroupLimits,
  made: string[],
  pid: number,
): void {
  const folder = `${own}/taskwarden-${pid}`;
  mkdirSync(folder);
  made.push(folder);
  if (name === 'memory') {
    writeFileSync(`${folder}/memory.limit_in_bytes`, String(limits.memory));
    // Not there where the kernel does not count swap.
    attempt(() => writeFileSync(`${folder}/memory.memsw.limit_in_bytes`, String(limits.memory)));
  } else {
    writeFileSync(`${folder}/cpu.cfs_period_us`, String(PERIOD_US));
    writeFileSync(`${folder}/cpu.cfs_quota_us`, String(quota(limits.cpu!)));
  }
}

/**
 * A group that hands controllers down may have no processes of its own (cgroups(7), "no internal processes"), so this process moves
 * into a group beside the worker's where they are not handed down yet.
 */
function makeUnified(
  groups: ControlGroups,
  wanted: readonly string[],
  limits: GroupLimits,
  made: string[],
  pid: number,
): void {
  const own = groups.unified?.folders[0];
  if (own === undefined) throw new Error('no unified hierarchy is to be seen');
  const folder = `${own}/taskwarden-${pid}`;
  mkdirSync(folder);
  made.push(folder);
  const control = `${own}/cgroup.subtree_control`;
  const handDown = (): void => writeFileSync(control, wanted.map((name) => `+${name}`).join(' '));
  try {
    handDown();
  } catch {
    const beside = `${own}/taskwarden-${pid}-run`;
    mkdirSync(beside);
    made.push(beside);
    writeFileSync(`${beside}/cgroup.procs`, String(pid));
    try {
      handDown();
    } catch (error) {
      writeFileSync(`${own}/cgroup.procs`, String(pid));
      throw error;
    }
    made.pop();
  }
  if (limits.memory !== undefined) {
    writeFileSync(`${folder}/memory.max`, String(limits.memory));
    attempt(() => writeFileSync(`${folder}/memory.swap.max`, '0'));
  }
  if (limits.cpu !== undefined) writeFileSync(`${folder}/cpu.max`, `${quota(limits.cpu)} ${PERIOD_US}`);
}

function quota(cores: number): number {
  return Math.max(LEAST_QUOTA_US, Math.round(cores * PERIOD_US));
}

function attempt(run: () => void): void {
  try {
    run();
  } catch {
    // The caller has said why that is no fault.
  }
}
