import { lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StateFolder } from '../config/state-dir.ts';
import { type AlertSnapshot, OUTAGE_TOLERANCE_MS } from '../rules/restore.ts';
import type { ProcessId } from './process-id.ts';
import { checkFolder, inStateFolder, makeFolder, namesIn } from './state-files.ts';

/** A file with more bytes is neither read nor written: alerts that do not fit in are left out. */
const MAX_BYTES = 1024 * 1024;
/** Shortest time between two writings, and the longest while there are alerts, ms. */
const WRITE_MS = 4000;
const REFRESH_MS = 30_000;
/** How long writing is not tried again after it has failed, ms. */
const PAUSE_MS = 3_600_000;
const FILE = /^alerts-(\w+)-(\d+)-(\d+)\.json(?:\.new)?$/;

export interface RuleStateOptions {
  /** It is made when there is something to write. */
  readonly folder: StateFolder;
  /** What a process has in common with its successor and with no other: hexadecimal digits. */
  readonly key: string;
  readonly self: ProcessId;
  readonly isRunning: (other: ProcessId) => boolean;
}

/**
 * The pending and firing alerts of this process in a file, for the process that comes after it. The file's name has the key of the
 * service and the identity of the process; a successor takes the file of a process that is gone by renaming it, so that no two
 * take the same. While there are no alerts there is no file.
 */
export class RuleState {
  readonly #options: RuleStateOptions;
  readonly #path: string;
  /** The alerts in the file as JSON; undefined while there is none. */
  #written: string | undefined;
  #writtenAt = Number.NEGATIVE_INFINITY;

  constructor(options: RuleStateOptions) {
    this.#options = options;
    const { folder, key, self } = options;
    this.#path = join(folder.path, `alerts-${key}-${self.pid}-${self.start}.json`);
  }

  /**
   * What a predecessor left behind, the latest if there are several; undefined when nobody did. What is too old to be of use is removed.
   *
   * @param now wall clock, ms since the Unix epoch
   * @throws Error what the file system says, or that the file is damaged, which is removed then
   */
  claim(now: number): unknown {
    return inStateFolder(() => this.#claim(now));
  }

  #claim(now: number): unknown {
    checkFolder(this.#options.folder);
    for (const path of this.#leftBehind(now)) {
      if (!taken(path, this.#path)) continue;
      this.#written = '';
      try {
        return JSON.parse(readSmall(this.#path));
      } catch (error) {
        this.#remove();
        throw new Error(`the alerts that a former process left in ${path} cannot be read`, { cause: error });
      }
    }
    return undefined;
  }

  /**
   * Writes the alerts where they have changed or the file is getting old, at most every few seconds unless it is the `last` time.
   *
   * @param now a clock that is never set, ms
   * @throws Error what the file system says
   */
  save(now: number, snapshot: () => AlertSnapshot, last = false): void {
    if (!last && now - this.#writtenAt < WRITE_MS) return;
    const { alerts, ...head } = snapshot();
    if (alerts.length === 0) {
      this.#remove();
      return;
    }
    const texts = fitting(alerts.map((alert) => JSON.stringify(alert)));
    const text = texts.join(',\n');
    if (!last && text === this.#written && now - this.#writtenAt < REFRESH_MS) return;
    this.#writtenAt = now + PAUSE_MS;
    const file = `{"version":${head.version},"at":${head.at},"alerts":[\n${text}\n]}\n`;
    inStateFolder(() => this.#write(file));
    this.#writtenAt = now;
    this.#written = text;
  }

  #write(text: string): void {
    const { folder } = this.#options;
    makeFolder(folder.path);
    checkFolder(folder);
    const fresh = `${this.#path}.new`;
    writeFileSync(fresh, text, { mode: 0o600 });
    renameSync(fresh, this.#path);
  }

  /** Files of processes of this service that are gone, the latest first. */
  #leftBehind(now: number): string[] {
    const { folder, key, isRunning } = this.#options;
    const found: { path: string; at: number }[] = [];
    for (const name of namesIn(folder.path)) {
      const [, owner, pid, start] = FILE.exec(name) ?? [];
      const path = join(folder.path, name);
      const at = lstatSync(path, { throwIfNoEntry: false })?.mtimeMs;
      if (owner === undefined || at === undefined) continue;
      if (now - at > OUTAGE_TOLERANCE_MS) rmSync(path, { force: true });
      else if (
        owner === key &&
        name.endsWith('.json') &&
        // What is there of this process was left by an agent of it that has died.
        (path === this.#path || !isRunning({ pid: Number(pid), start: Number(start) }))
      )
        found.push({ path, at });
    }
    return found.sort((a, b) => b.at - a.at).map(({ path }) => path);
  }

  #remove(): void {
    if (this.#written !== undefined) rmSync(this.#path, { force: true });
    this.#written = undefined;
  }
}

/** False when somebody else was quicker. */
function taken(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function readSmall(path: string): string {
  const found = lstatSync(path);
  if (!found.isFile() || found.size > MAX_BYTES) throw new Error('it is no file, or too large');
  return readFileSync(path, 'utf8');
}

/** As many texts, from the first, as the largest file holds. */
function fitting(texts: readonly string[]): readonly string[] {
  let left = MAX_BYTES - 100;
  const end = texts.findIndex((text) => {
    left -= Buffer.byteLength(text) + 2;
    return left < 0;
  });
  return end < 0 ? texts : texts.slice(0, end);
}
