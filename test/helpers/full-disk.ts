import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Disk {
  readonly path: string;
  /** Leaves no byte of it. */
  fill(): void;
  remove(): void;
}

/** A small file system of its own, or a sentence about why there is none: only root may mount one. */
export function mountDisk(kib: number): Disk | string {
  const path = mkdtempSync(join(tmpdir(), 'taskwarden-disk-'));
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kib}k`, 'tmpfs', path], {
    encoding: 'utf8',
  });
  if (status !== 0) {
    rmSync(path, { recursive: true });
    return `no file system can be mounted (${(error?.message ?? stderr).trim()})`;
  }
  return {
    path,
    fill() {
      for (const bytes of [4096, 1]) {
        try {
          for (;;) appendFileSync(join(path, 'filler'), 'x'.repeat(bytes));
        } catch (fault) {
          if ((fault as NodeJS.ErrnoException).code !== 'ENOSPC') throw fault;
        }
      }
    },
    remove() {
      spawnSync('umount', [path]);
      rmSync(path, { recursive: true, force: true });
    },
  };
}
