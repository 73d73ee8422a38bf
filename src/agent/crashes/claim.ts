import { lstatSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { StateFolder } from '../../config/state-dir.ts';
import type { ProcessId } from '../process-id.ts';
import { checkFolder, inStateFolder, namesIn } from '../state-files.ts';
import { fileName, type Machine, type NamedProcess, parseName, shortBoot } from './identity.ts';
import { MAX_FILE_BYTES, type Recording } from './layout.ts';
import { readRecording } from './read-recording.ts';

/** A process of which it cannot be seen whether it runs is dead when its file has not been written for so long, ms. */
const SILENT_MS = 60_000;
/** A claim takes milliseconds: one that is older has been left by a process that died over it, ms. */
const STALE_CLAIM_MS = 10_000;
/** Files of other hosts are removed after that, ms. */
const FOREIGN_MS = 7 * 86_400_000;
const CLAIM = /^\.claimed-(\d+)-(\d+)-(flight-.+\.bin)$/;

export interface ClaimOptions {
  readonly folder: StateFolder;
  readonly machine: Machine;
  readonly self: ProcessId;
  readonly isRunning: (other: ProcessId) => boolean;
  /** ms since the Unix epoch, as the file system has it. */
  readonly now: () => number;
  /** Told of files that are no recordings, or not of this host; each once. */
  readonly onIgnored: (why: 'corrupt' | 'foreign') => void;
}

/** A dead process's last recording, which is ours alone now. */
export interface Claimed {
  readonly recording: Recording;
  /** Removes the file: what it says has been told. */
  done(): void;
}

/** Takes the files of dead processes, each of which one of any number of claimers gets. */
export class Claims {
  readonly #options: ClaimOptions;
  readonly #ignored = new Set<string>();

  constructor(options: ClaimOptions) {
    this.#options = options;
  }

  /**
   * Dead processes that had runs in flight; the files of those that had none are removed.
   *
   * @param supervisor takes those that this supervisor watches alone; without it those that no living supervisor watches
   * @throws Error what the file system says
   */
  take(supervisor?: string): Claimed[] {
    return inStateFolder(() => this.#take(supervisor));
  }

  #take(supervisor: string | undefined): Claimed[] {
    const { folder } = this.#options;
    checkFolder(folder);
    const taken: Claimed[] = [];
    for (const name of namesIn(folder.path)) {
      const stale = CLAIM.exec(name);
      const original = stale?.[3] ?? name;
      const named = parseName(original);
      if (named === undefined) continue;
      const path = join(folder.path, name);
      const found = lstatSync(path, { throwIfNoEntry: false });
      if (found === undefined) continue;
      const isDead =
        stale === null
          ? this.#isDead(path, named, found.mtimeMs)
          : this.#isLeft({ pid: Number(stale[1]), start: Number(stale[2]) }, found.ctimeMs);
      if (!isDead || !this.#isOurs(path, supervisor)) continue;
      const claimed = this.#claim(path, original);
      if (claimed !== undefined) taken.push(claimed);
    }
    return taken;
  }

  #isDead(path: string, named: NamedProcess, writtenAt: number): boolean {
    const { machine, isRunning, now } = this.#options;
    const silentMs = now() - writtenAt;
    if (named.host !== parseName(fileName({ ...machine, pid: 0, start: 0 }))?.host) {
      if (silentMs > FOREIGN_MS) rmSync(path, { force: true });
      this.#ignore(path, 'foreign');
      return false;
    }
    const isHere = named.boot === shortBoot(machine.boot);
    if (isHere && isRunning(named)) return false;
    const namespace = isHere ? (read(path)?.identity.pidNamespace ?? machine.pidNamespace) : undefined;
    return namespace === machine.pidNamespace || silentMs > SILENT_MS;
  }

  #isLeft(claimer: ProcessId, claimedAt: number): boolean {
    const { isRunning, now } = this.#options;
    return now() - claimedAt > STALE_CLAIM_MS && !isRunning(claimer);
  }

  /** A supervisor reports the processes that it watches, which it does at once. */
  #isOurs(path: string, supervisor: string | undefined): boolean {
    const watcher = read(path)?.identity.supervisor ?? '';
    if (supervisor !== undefined) return watcher === supervisor;
    const [pid, start] = watcher.split('-').map(Number);
    return pid === undefined || start === undefined || !this.#options.isRunning({ pid, start });
  }

  #claim(path: string, original: string): Claimed | undefined {
    const { folder, self } = this.#options;
    const own = join(folder.path, `.claimed-${self.pid}-${self.start}-${original}`);
    try {
      renameSync(path, own);
    } catch (error) {
      // Somebody else was quicker.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    const recording = read(own);
    if (recording !== undefined && recording.runs.length > 0)
      return { recording, done: () => rmSync(own, { force: true }) };
    // An empty file tells of nothing: nothing had been written yet, or it was taken back.
    const isEmpty = lstatSync(own, { throwIfNoEntry: false })?.size === 0;
    if (recording === undefined && !isEmpty) this.#ignore(path, 'corrupt');
    rmSync(own, { force: true });
    return undefined;
  }

  #ignore(path: string, why: 'corrupt' | 'foreign'): void {
    if (this.#ignored.has(path) || this.#ignored.size > 1000) return;
    this.#ignored.add(path);
    this.#options.onIgnored(why);
  }
}

/** The recording in a file; undefined for what is none, or is gone. */
function read(path: string): Recording | undefined {
  try {
    const found = lstatSync(path);
    return found.isFile() && found.size <= MAX_FILE_BYTES ? readRecording(readFileSync(path)) : undefined;
  } catch {
    // A file that somebody has written on purpose may be wrong in any way.
    return undefined;
  }
}
