import { type GroupMemory, readGroupMemory } from './cgroup.ts';
import { type ControlGroup, findControlGroups } from './cgroup-paths.ts';
import type { KernelFiles } from './files.ts';
import { type FoundProcess, statFields, TICKS } from './peer-search.ts';

/** What /proc says of another process. Bytes and seconds; what its rights or the kernel do not let us read is undefined. */
export interface PeerFigures {
  /** The same text for the same process, and no other has it. */
  readonly process: string;
  readonly memory: number | undefined;
  readonly cpuUser: number | undefined;
  readonly cpuSystem: number | undefined;
  readonly threads: number | undefined;
  readonly descriptors: number | undefined;
  readonly descriptorLimit: number | undefined;
  /** By system calls: files, pipes and sockets. */
  readonly read: number | undefined;
  readonly written: number | undefined;
  /** Of its network namespace; undefined where that is the watcher's. */
  readonly network: { readonly receive: number; readonly transmit: number } | undefined;
  readonly group: GroupMemory | undefined;
}

/** Reads a process; undefined when it has ended, also when another has got its number. */
export function readPeer(
  files: KernelFiles,
  { id, startTicks }: FoundProcess,
  group: PeerGroup | undefined,
): PeerFigures | undefined {
  const fields = statFields(files, id);
  if (fields === undefined || fields[19] !== startTicks) return undefined;
  const field = (index: number): number | undefined => finite(fields[index]);
  const seconds = (index: number): number | undefined => {
    const ticks = field(index);
    return ticks === undefined ? undefined : ticks / TICKS;
  };
  const status = files.text(`/proc/${id}/status`) ?? '';
  const io = files.text(`/proc/${id}/io`) ?? '';
  const kilobytes = numberIn(status, /^VmRSS:\s*(\d+) kB$/m);
  return {
    process: `${id} ${startTicks}`,
    memory: kilobytes === undefined ? undefined : kilobytes * 1024,
    cpuUser: seconds(11),
    cpuSystem: seconds(12),
    threads: field(17),
    descriptors: files.count(`/proc/${id}/fd`),
    descriptorLimit: numberIn(files.text(`/proc/${id}/limits`) ?? '', /^Max open files\s+(\d+)/m),
    read: numberIn(io, /^rchar: (\d+)$/m),
    written: numberIn(io, /^wchar: (\d+)$/m),
    network: networkOf(files, id),
    group: group === undefined ? undefined : readGroupMemory(group.files, group.memory),
  };
}

/** The memory group of a process, and the files in which it is. */
export interface PeerGroup {
  readonly files: KernelFiles;
  readonly memory: ControlGroup;
}

/**
 * The memory group of a process: where this process sees it, or else where that process does. It is one only if it lists the
 * process: what is not mounted here looks like a group of ours.
 */
export function peerGroup(files: KernelFiles, id: string): PeerGroup | undefined {
  const memory = findControlGroups(files, id).of('memory');
  if (memory !== undefined && holds(files, memory, id)) return { files, memory };
  const own = files.below(`/proc/${id}/root`);
  const point: ControlGroup = { version: 2, folders: ['/sys/fs/cgroup'] };
  return holds(own, point, id) ? { files: own, memory: point } : undefined;
}

function holds(files: KernelFiles, { folders }: ControlGroup, id: string): boolean {
  return files.text(`${folders[0]}/cgroup.procs`)?.split('\n').includes(id) ?? false;
}

/** Bytes of all interfaces but loopback, by proc_pid_net(5): columns 1 and 9. */
function networkOf(files: KernelFiles, id: string): PeerFigures['network'] {
  const namespace = files.link(`/proc/${id}/ns/net`);
  if (namespace === undefined || namespace === files.link('/proc/self/ns/net')) return undefined;
  const lines = files.text(`/proc/${id}/net/dev`)?.split('\n') ?? [];
  let receive = 0;
  let transmit = 0;
  for (const line of lines) {
    const [, name, columns = ''] = /^\s*(\S+):(.*)$/.exec(line) ?? [];
    if (name === undefined || name === 'lo') continue;
    const values = columns.trim().split(/\s+/).map(Number);
    receive += values[0] ?? 0;
    transmit += values[8] ?? 0;
  }
  return lines.length === 0 ? undefined : { receive, transmit };
}

function numberIn(text: string, pattern: RegExp): number | undefined {
  return finite(pattern.exec(text)?.[1]);
}

function finite(text: string | undefined): number | undefined {
  const value = text === undefined ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : undefined;
}
