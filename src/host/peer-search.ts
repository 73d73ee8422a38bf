import { fieldsAfterName, type KernelFiles } from './files.ts';

/** Processes that a search looks at, at most. */
const MAX_PROCESSES = 8192;
/** Ticks of a second in /proc/PID/stat: USER_HZ, 100 on every architecture that Node.js runs on. */
export const TICKS = 100;
/** A server starts after its process; but the time at which the machine started is known to some seconds alone. */
const TOLERANCE_MS = 10_000;

/** A process as it calls itself: host name and number in its own namespace. */
export interface PeerName {
  readonly host: string;
  readonly pid: number;
  /** A time at which it ran already, ms since the Unix epoch. */
  readonly startedMs: number | undefined;
}

/** A process of /proc: its number there, and when it started, in ticks since the machine did. */
export interface FoundProcess {
  readonly id: string;
  readonly startTicks: string;
}

/** Fields of /proc/PID/stat from the third on. */
export function statFields(files: KernelFiles, id: string): readonly string[] | undefined {
  const text = files.text(`/proc/${id}/stat`);
  return text === undefined ? undefined : fieldsAfterName(text);
}

/**
 * The processes of these names. One in a container has another number in /proc than the one it knows itself by, and another host
 * name; both are in /proc too, the name as far as the rights reach. What is not found, or not for certain, is left out.
 */
export function findPeers<Name extends PeerName>(
  files: KernelFiles,
  hostname: string,
  names: readonly Name[],
): Map<Name, FoundProcess> {
  const found = new Map<Name, FoundProcess>();
  if (names.length === 0) return found;
  const bootMs = (files.entry('/proc/stat', 'btime') ?? 0) * 1000;
  const wanted = Map.groupBy(names, ({ pid }) => String(pid));
  const ids = files.names('/proc').filter((name) => /^\d+$/.test(name));
  const candidates = Map.groupBy(ids.slice(0, MAX_PROCESSES), (id) => innermostId(files, id) ?? '');
  for (const [pid, own] of wanted) {
    for (const name of own) {
      const fits = (candidates.get(pid) ?? []).flatMap((id) => {
        const startTicks = statFields(files, id)?.[19];
        if (startTicks === undefined || hostnameOf(files, id, hostname) !== name.host) return [];
        const startMs = bootMs + (Number(startTicks) / TICKS) * 1000;
        return name.startedMs === undefined || startMs <= name.startedMs + TOLERANCE_MS
          ? [{ id, startTicks }]
          : [];
      });
      if (fits.length === 1) found.set(name, fits[0]!);
    }
  }
  return found;
}

/** The number of a process in the innermost of its namespaces. */
function innermostId(files: KernelFiles, id: string): string | undefined {
  const [, numbers] = /^NSpid:\s*(.+)$/m.exec(files.text(`/proc/${id}/status`) ?? '') ?? [];
  return numbers?.trim().split(/\s+/).at(-1);
}

function hostnameOf(files: KernelFiles, id: string, own: string): string | undefined {
  const namespace = files.link(`/proc/${id}/ns/uts`);
  const here = files.link('/proc/self/ns/uts');
  if (namespace !== undefined && namespace !== here)
    return files.text(`/proc/${id}/root/etc/hostname`)?.trim();
  if (namespace !== undefined) return own;
  // A process of another user does not show its namespaces. One that has a single number is in no container.
  const [, numbers = ''] = /^NSpid:\s*(.+)$/m.exec(files.text(`/proc/${id}/status`) ?? '') ?? [];
  return numbers.trim().includes('\t') ? undefined : own;
}
