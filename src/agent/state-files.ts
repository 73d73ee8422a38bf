import { lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { StateFolder } from '../config/state-dir.ts';

/** Names of what is in a folder; none where it is not there. @throws Error what else the file system says */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Node.js's own recursive way never ends where the system refuses a folder as "not found", as /proc does. */
export function makeFolder(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return;
  const parent = dirname(path);
  if (parent !== path) makeFolder(parent);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process may have made it meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/**
 * What is in the folder is believed: among the temporary files it must be our own, and closed to others.
 *
 * @param otherwise what is the case when it is not
 * @throws Error that says so
 */
export function checkFolder({ path, isShared }: StateFolder, otherwise: string): void {
  const found = isShared ? lstatSync(path, { throwIfNoEntry: false }) : undefined;
  if (found === undefined || process.getuid === undefined) return;
  if (!found.isDirectory() || found.uid !== process.getuid() || (found.mode & 0o022) !== 0)
    throw new Error(`${path} is not a folder of this user alone: ${otherwise}`);
}
