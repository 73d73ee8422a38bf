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
 * @throws Error when it is not
 */
export function checkFolder({ path, isShared }: StateFolder): void {
  const found = isShared ? lstatSync(path, { throwIfNoEntry: false }) : undefined;
  if (found === undefined || process.getuid === undefined) return;
  if (!found.isDirectory() || found.uid !== process.getuid() || (found.mode & 0o022) !== 0)
    throw new NotOurs(`${path} is not a folder of this user alone`);
}

class NotOurs extends Error {}

/** What a file system says that is read-only, or belongs to others: it stays so, as long as nobody sets it up otherwise. */
const REFUSALS: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR']);

/** The state folder cannot be used: no fault of ours, and the same for all that would be kept there. */
export class NoStateFolder extends Error {
  constructor(cause: Error) {
    const lost =
      'runs in flight do not outlive a crash, crashes are not reported and alerts do not outlive a restart';
    super(`${cause.message}: ${lost}; TASKWARDEN_STATE_DIR names another folder, or is off`, { cause });
  }
}

/**
 * Does what uses the state folder.
 *
 * @throws NoStateFolder when it may not be used; Error what else the file system says
 */
export function inStateFolder<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw error instanceof NotOurs || REFUSALS.has(code) ? new NoStateFolder(error as Error) : error;
  }
}
