import { posix } from 'node:path';
import type { KernelFiles } from './files.ts';

/** Where the files of one controller are: the process's own group first, then its parents as far as they are mounted. */
export interface ControlGroup {
  readonly version: 1 | 2;
  readonly folders: readonly string[];
}

export type Controller = 'memory' | 'cpu' | 'cpuacct';

export interface ControlGroups {
  /** Of a v1 hierarchy where that has the controller, else of the unified one. */
  readonly of: (controller: Controller) => ControlGroup | undefined;
  /** Of the unified hierarchy alone, which has pressure figures even where v1 has all controllers. */
  readonly unified: ControlGroup | undefined;
}

/** Kills that the kernel has made in a memory group for want of memory. */
export function oomKills(files: KernelFiles, { version, folders }: ControlGroup): number | undefined {
  const file = version === 1 ? 'memory.oom_control' : 'memory.events';
  return files.entry(`${folders[0]}/${file}`, 'oom_kill');
}

interface Mount {
  /** Path within the hierarchy that is mounted. */
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly controllers: readonly string[];
}

/**
 * Finds the control groups of a process by /proc/PID/cgroup and /proc/self/mountinfo (cgroups(7)), and under
 * /sys/fs/cgroup where the latter is of no help.
 */
export function findControlGroups(files: KernelFiles, process = 'self'): ControlGroups {
  const mounts = parseMounts(files.text('/proc/self/mountinfo') ?? '');
  const paths = parsePaths(files.text(`/proc/${process}/cgroup`) ?? '');

  const unifiedPath = paths.get('');
  const unifiedMount =
    mounts.find(({ type }) => type === 'cgroup2') ?? usualMount(files, 'cgroup.controllers', '');
  const unified =
    unifiedPath === undefined || unifiedMount === undefined
      ? undefined
      : { version: 2 as const, folders: foldersOf(files, unifiedMount, unifiedPath) };

  const of = (controller: Controller): ControlGroup | undefined => {
    const path = paths.get(controller);
    if (path === undefined) return unified;
    const mount =
      mounts.find(({ type, controllers }) => type === 'cgroup' && controllers.includes(controller)) ??
      usualMount(files, 'cgroup.procs', controller);
    return mount === undefined ? unified : { version: 1, folders: foldersOf(files, mount, path) };
  };
  return { of, unified };
}

/** `4:memory:/a/b` by controller; `0::/a/b`, the unified hierarchy, by the empty name. */
function parsePaths(text: string): Map<string, string> {
  const paths = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    for (const controller of controllers?.split(',') ?? []) paths.set(controller, path);
  }
  return paths;
}

/** `36 35 0:31 ROOT POINT OPTIONS [TAGS…] - TYPE SOURCE SUPEROPTIONS` of proc_pid_mountinfo(5). */
function parseMounts(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    const [before = '', after = ''] = line.split(' - ', 2);
    const [type = '', , options = ''] = after.split(' ');
    const [, , , root, point] = before.split(' ').map(unescapeOctal);
    if (!type.startsWith('cgroup') || root === undefined || point === undefined) continue;
    mounts.push({ root, point, type, controllers: options.split(',') });
  }
  return mounts;
}

/** Space, tab, newline and backslash are written as octal numbers. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

function usualMount(files: KernelFiles, file: string, name: string): Mount | undefined {
  const point = posix.join('/sys/fs/cgroup', name);
  return files.exists(posix.join(point, file)) ? { root: '/', point, type: '', controllers: [] } : undefined;
}

/**
 * A container often sees only its own group: as root of the mount while /proc/self/cgroup names the path on the machine, or as
 * `/` of a namespace. Then the mount point itself is the group.
 */
function foldersOf(files: KernelFiles, { root, point }: Mount, path: string): string[] {
  const relative =
    root === '/' ? path : path === root || path.startsWith(`${root}/`) ? path.slice(root.length) : '/';
  let folder = posix.join(point, relative.includes('/..') ? '/' : relative);
  if (!files.exists(folder)) folder = point;
  const folders = [folder.replace(/(?<=.)\/$/, '')];
  while (folders.at(-1) !== point && folders.at(-1)!.startsWith(point))
    folders.push(posix.dirname(folders.at(-1)!));
  return folders;
}
