import { type ControlGroup, findControlGroups, oomKills } from './cgroup-paths.ts';
import type { KernelFiles } from './files.ts';
import type { Put } from './gauges.ts';

/** In bytes; `limit` is the least of the group and its parents, absent without one. */
export interface GroupMemory {
  readonly usage: number | undefined;
  readonly inactiveFile: number | undefined;
  readonly limit: number | undefined;
  readonly oomKills: number | undefined;
}

/** CPU times in s, the limit in CPUs. */
interface Cpu {
  readonly user: number | undefined;
  readonly system: number | undefined;
  readonly limit: number | undefined;
  readonly throttled: number | undefined;
}

/** Ticks of a second in `cpuacct.stat`: USER_HZ, 100 on every architecture that Node.js runs on. */
const TICKS = 100;

/**
 * Memory, CPU and pressure of the control group that the process is in, v1 and v2. Limits are the least of the group and of
 * those parents that can be seen.
 * @returns a function that reads once.
 */
export function cgroupCollector(files: KernelFiles, put: Put): () => void {
  const groups = findControlGroups(files);
  const memory = groups.of('memory');
  const cpu = groups.of('cpu');
  const accounting = groups.of('cpuacct');

  return () => {
    if (memory !== undefined) putMemory(put, readGroupMemory(files, memory));
    if (cpu?.version === 2) putCpu(put, cpuV2(files, cpu));
    else if (cpu !== undefined || accounting?.version === 1) putCpu(put, cpuV1(files, cpu, accounting));
    for (const resource of ['cpu', 'memory', 'io'])
      put('taskwarden.container.pressure', pressure(files, groups.unified, resource), { resource });
  };
}

export function readGroupMemory(files: KernelFiles, group: ControlGroup): GroupMemory {
  return group.version === 1 ? memoryV1(files, group) : memoryV2(files, group);
}

function putMemory(put: Put, { usage, inactiveFile, limit, oomKills }: GroupMemory): void {
  put('container.memory.usage', usage);
  // What the kernel can take back at once is no memory in use (source: cAdvisor's working set).
  const known = usage !== undefined && inactiveFile !== undefined;
  put('container.memory.working_set', known ? Math.max(0, usage - inactiveFile) : undefined);
  put('taskwarden.container.memory.limit', limit);
  put('taskwarden.container.oom_kills', oomKills);
}

function putCpu(put: Put, { user, system, limit, throttled }: Cpu): void {
  put('container.cpu.time', user, { 'cpu.mode': 'user' });
  put('container.cpu.time', system, { 'cpu.mode': 'system' });
  put('taskwarden.container.cpu.limit', limit);
  put('taskwarden.container.cpu.throttled', throttled);
}

function memoryV1(files: KernelFiles, group: ControlGroup): GroupMemory {
  const own = group.folders[0]!;
  // The kernel works out the limit of parents too. "No limit" is a number near 2^63.
  const limit =
    files.entry(`${own}/memory.stat`, 'hierarchical_memory_limit') ??
    files.number(`${own}/memory.limit_in_bytes`);
  return {
    usage: files.number(`${own}/memory.usage_in_bytes`),
    inactiveFile: files.entry(`${own}/memory.stat`, 'total_inactive_file'),
    limit: limit !== undefined && limit < Number.MAX_SAFE_INTEGER ? limit : undefined,
    oomKills: oomKills(files, group),
  };
}

function memoryV2(files: KernelFiles, group: ControlGroup): GroupMemory {
  const { folders } = group;
  const own = folders[0]!;
  return {
    usage: files.number(`${own}/memory.current`),
    inactiveFile: files.entry(`${own}/memory.stat`, 'inactive_file'),
    // "max" is no number, hence no limit.
    limit: least(folders.map((folder) => files.number(`${folder}/memory.max`))),
    oomKills: oomKills(files, group),
  };
}

function cpuV1(files: KernelFiles, cpu: ControlGroup | undefined, accounting: ControlGroup | undefined): Cpu {
  const time = (mode: string): number | undefined => {
    const folder = accounting?.version === 1 ? accounting.folders[0] : undefined;
    if (folder === undefined) return undefined;
    const exact = files.number(`${folder}/cpuacct.usage_${mode === 'user' ? 'user' : 'sys'}`);
    return scale(exact, 1e9) ?? scale(files.entry(`${folder}/cpuacct.stat`, mode), TICKS);
  };
  const quota = (folder: string): number | undefined => {
    const microseconds = files.number(`${folder}/cpu.cfs_quota_us`);
    const period = files.number(`${folder}/cpu.cfs_period_us`);
    return microseconds !== undefined && microseconds > 0 && period ? microseconds / period : undefined;
  };
  const own = cpu?.version === 1 ? cpu.folders : [];
  return {
    user: time('user'),
    system: time('system'),
    limit: least(own.map(quota)),
    throttled:
      own[0] === undefined ? undefined : scale(files.entry(`${own[0]}/cpu.stat`, 'throttled_time'), 1e9),
  };
}

function cpuV2(files: KernelFiles, { folders }: ControlGroup): Cpu {
  const stat = `${folders[0]}/cpu.stat`;
  const quota = (folder: string): number | undefined => {
    const [microseconds, period] = files.text(`${folder}/cpu.max`)?.trim().split(' ').map(Number) ?? [];
    return microseconds !== undefined && period ? microseconds / period : undefined;
  };
  return {
    user: scale(files.entry(stat, 'user_usec'), 1e6),
    system: scale(files.entry(stat, 'system_usec'), 1e6),
    limit: least(folders.map(quota)),
    throttled: scale(files.entry(stat, 'throttled_usec'), 1e6),
  };
}

/** Seconds in which some task of the group waited, from `some avg10=… total=MICROSECONDS`. */
function pressure(files: KernelFiles, group: ControlGroup | undefined, resource: string): number | undefined {
  if (group === undefined) return undefined;
  const [, total] =
    /^some .*\btotal=(\d+)/m.exec(files.text(`${group.folders[0]}/${resource}.pressure`) ?? '') ?? [];
  return total === undefined ? undefined : Number(total) / 1e6;
}

function least(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value): value is number => value !== undefined && !Number.isNaN(value));
  return known.length === 0 ? undefined : Math.min(...known);
}

function scale(value: number | undefined, by: number): number | undefined {
  return value === undefined ? undefined : value / by;
}
