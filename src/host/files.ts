import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Small kernel files below a root (`/`, or a copy in a test). Reads are synchronous: the thread pool behind asynchronous ones
 * is shared with the application, and is slow just when the figures matter. What cannot be read is undefined.
 */
export class KernelFiles {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** The files below a folder of these: of what a process sees as `/`, for example. */
  below(path: string): KernelFiles {
    return new KernelFiles(join(this.#root, path));
  }

  text(path: string): string | undefined {
    try {
      return readFileSync(join(this.#root, path), 'utf8');
    } catch {
      return undefined;
    }
  }

  /** The number that a file consists of. */
  number(path: string): number | undefined {
    return parseNumber(this.text(path));
  }

  /** The number after a key at the start of a line, as in `memory.stat`. */
  entry(path: string, key: string): number | undefined {
    const line = this.text(path)
      ?.split('\n')
      .find((candidate) => candidate.startsWith(`${key} `));
    return parseNumber(line?.slice(key.length));
  }

  /** What a symbolic link points to. */
  link(path: string): string | undefined {
    try {
      return readlinkSync(join(this.#root, path));
    } catch {
      return undefined;
    }
  }

  /** Names of the entries of a folder; none where it cannot be read. */
  names(path: string): string[] {
    try {
      return readdirSync(join(this.#root, path));
    } catch {
      return [];
    }
  }

  exists(path: string): boolean {
    return statSync(join(this.#root, path), { throwIfNoEntry: false }) !== undefined;
  }

  /** Entries of a folder. */
  count(path: string): number | undefined {
    try {
      // Since Linux 6.2 the size of a /proc/PID/fd is the number of its entries, which spares listing thousands.
      const { size } = statSync(join(this.#root, path));
      return path.startsWith('/proc/') && size > 0 ? size : readdirSync(join(this.#root, path)).length;
    } catch {
      return undefined;
    }
  }
}

/** Fields of a `stat` file of /proc from the third on: the second is a name in brackets, which may hold anything. */
export function fieldsAfterName(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function parseNumber(text: string | undefined): number | undefined {
  const trimmed = text?.trim();
  return trimmed !== undefined && /^-?\d+(\.\d+)?$/.test(trimmed) ? Number(trimmed) : undefined;
}
