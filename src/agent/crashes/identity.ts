import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { findControlGroups, oomKills } from '../../host/cgroup-paths.ts';
import { KernelFiles } from '../../host/files.ts';
import { ownProcess } from '../process-id.ts';
import type { Identity } from './layout.ts';

/** The machine as a process sees it. */
export interface Machine {
  readonly host: string;
  readonly boot: string;
  readonly pidNamespace: string;
}

export function thisMachine(): Machine {
  return {
    host: hostname(),
    boot: attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    pidNamespace: attempt(() => readlinkSync('/proc/self/ns/pid')),
  };
}

export function thisProcess(about: Pick<Identity, 'service' | 'supervisor' | 'group'>): Identity {
  const startedAt = Date.now() - process.uptime() * 1000;
  return { ...thisMachine(), ...ownProcess(), startedAt, ...about };
}

export interface MemoryGroup {
  /** Folder of the control group; '' where there is none. */
  readonly path: string;
  /** Kills that the kernel has made in it for want of memory; NaN where it does not tell. */
  readonly oomKills: () => number;
}

/** The control group that this process's memory counts in. */
export function memoryGroup(): MemoryGroup {
  const files = new KernelFiles('/');
  const group = findControlGroups(files).of('memory');
  const path = group?.folders[0];
  if (group === undefined || path === undefined) return { path: '', oomKills: () => Number.NaN };
  return { path, oomKills: () => oomKills(files, group) ?? Number.NaN };
}

/** What a file is called: `flight-HOST-BOOT-PID-START.bin`. */
export function fileName({
  host,
  boot,
  pid,
  start,
}: Pick<Identity, 'host' | 'boot' | 'pid' | 'start'>): string {
  return `flight-${host.replace(/[^\w.-]/g, '_').slice(0, 64)}-${shortBoot(boot)}-${pid}-${start}.bin`;
}

export interface NamedProcess {
  readonly host: string;
  readonly boot: string;
  readonly pid: number;
  readonly start: number;
}

/** The parts of a file's name; undefined for the name of anything else. */
export function parseName(name: string): NamedProcess | undefined {
  const [, host, boot, pid, start] =
    /^flight-([\w.-]+)-([0-9a-f]{8}|none)-(\d+)-(\d+)\.bin$/.exec(name) ?? [];
  if (host === undefined || boot === undefined) return undefined;
  return { host, boot, pid: Number(pid), start: Number(start) };
}

export function shortBoot(boot: string): string {
  return /^[0-9a-f]{8}/.exec(boot)?.[0] ?? 'none';
}

function attempt(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
