import { openSync, readSync } from 'node:fs';
import { readGroupMemory } from '../../host/cgroup.ts';
import { type ControlGroup, findControlGroups } from '../../host/cgroup-paths.ts';
import { KernelFiles } from '../../host/files.ts';
import { residentBytes } from '../../model/resident.ts';

/** Size of the pages that statm counts where it cannot be worked out, bytes. */
const PAGE = 4096;

/** All in bytes. */
export interface ProcessMemory {
  readonly rss: number;
  /** What RLIMIT_DATA bounds: heap, anonymous mappings and stacks, used or not. */
  readonly data: number;
}

export interface Group {
  readonly limit: number;
  /** Without what the kernel can take back at once. */
  readonly workingSet: number;
}

/** The process and its control group, as the kernel sees them. */
export class KernelMemory {
  readonly #files: KernelFiles;
  readonly #group: ControlGroup | undefined;
  readonly #fd: number | undefined;
  readonly #buffer = Buffer.alloc(128);
  readonly #page: number;

  /** @param root folder that has the place of `/`, for tests */
  constructor(root = '/') {
    this.#files = new KernelFiles(root);
    this.#group = findControlGroups(this.#files).of('memory');
    try {
      this.#fd = openSync(`${root}proc/self/statm`, 'r');
    } catch {
      this.#fd = undefined;
    }
    this.#page = pageSize(new KernelFiles('/'));
  }

  /** A few microseconds (source: proc_pid_statm(5)). Undefined where the system does not tell. */
  process(): ProcessMemory | undefined {
    if (this.#fd === undefined) return undefined;
    const length = readSync(this.#fd, this.#buffer, 0, this.#buffer.length, 0);
    const fields = this.#buffer.toString('latin1', 0, length).split(' ');
    const [rss, data] = [Number(fields[1]) * this.#page, Number(fields[5]) * this.#page];
    return rss > 0 ? { rss, data } : undefined;
  }

  /** Undefined where no group has a limit. */
  group(): Group | undefined {
    if (this.#group === undefined) return undefined;
    const { usage, inactiveFile = 0, limit } = readGroupMemory(this.#files, this.#group);
    return usage === undefined || limit === undefined
      ? undefined
      : { limit, workingSet: Math.max(0, usage - inactiveFile) };
  }

  /** RLIMIT_DATA; undefined where there is none. */
  dataLimit(): number | undefined {
    const soft = /^Max data size\s+(\d+)/m.exec(this.#files.text('/proc/self/limits') ?? '')?.[1];
    return soft === undefined ? undefined : Number(soft);
  }
}

/** A power of two, from the same figure in pages and in bytes, which are not read at the same moment. */
function pageSize(files: KernelFiles): number {
  const pages = Number(files.text('/proc/self/statm')?.split(' ')[1]);
  const ratio = residentBytes() / pages;
  return Number.isFinite(ratio) ? 2 ** Math.round(Math.log2(ratio)) : PAGE;
}
