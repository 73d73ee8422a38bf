import { type FSWatcher, statSync, watch } from 'node:fs';
import { resolve } from 'node:path';
import { findRuleFiles } from '../rules/find.ts';
import { placesOf } from '../rules/places.ts';

/** How long files must be left alone before they are read, and the longest that this is waited for, ms. */
const QUIET_MS = 250;
const PATIENCE_MS = 5000;
/** Folders watched at most: `**` may name thousands. */
const MAX_FOLDERS = 100;
/** How often files are looked at where the system does not tell of changes, ms. */
const POLL_MS = 30_000;

export interface RuleWatchOptions {
  /** Paths and globs. */
  readonly patterns: readonly string[];
  readonly cwd: string;
  readonly onChange: () => void;
  /** Runs what a timer starts: it catches what the file system throws. */
  readonly guard: (check: () => void) => void;
  /** Told once: changes in some folder are noticed late. */
  readonly onBlind: (error: unknown) => void;
}

/**
 * Notices when rule files change, appear or vanish, however it is done: written in place, renamed over, or by a link that points
 * elsewhere. Folders are watched, not files, as most editors replace the file. Keeps nothing alive, and does nothing while nothing happens.
 */
export class RuleWatch {
  readonly #options: RuleWatchOptions;
  readonly #watchers = new Map<string, FSWatcher>();
  #seen: string;
  #timer: NodeJS.Timeout | undefined;
  #since: number | undefined;
  #poll: NodeJS.Timeout | undefined;

  constructor(options: RuleWatchOptions) {
    this.#options = options;
    this.#seen = this.#look();
    this.#watchFolders();
  }

  #notice(): void {
    this.#since ??= performance.now();
    const left = this.#since + PATIENCE_MS - performance.now();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#checkGuarded, Math.max(0, Math.min(QUIET_MS, left)));
    this.#timer.unref();
  }

  readonly #checkGuarded = (): void => this.#options.guard(() => this.#check());

  #check(): void {
    this.#since = undefined;
    const seen = this.#look();
    const changed = seen !== this.#seen;
    this.#seen = seen;
    this.#watchFolders();
    if (changed) this.#options.onChange();
  }

  /** What tells one state of the files from another: names, inodes, sizes and times. */
  #look(): string {
    const { patterns, cwd } = this.#options;
    const states = findRuleFiles(patterns, cwd).files.map((file) => {
      const found = statSync(resolve(cwd, file), { throwIfNoEntry: false, bigint: true });
      return found === undefined ? [file] : [file, found.ino, found.size, found.mtimeNs, found.ctimeNs];
    });
    return states.map((state) => state.join(' ')).join('\n');
  }

  #watchFolders(): void {
    const wanted = new Map<string, string>();
    for (const folder of placesOf(this.#options.patterns, this.#options.cwd)) {
      const found = statSync(folder, { throwIfNoEntry: false });
      // A folder that was made anew is another one.
      if (found?.isDirectory()) wanted.set(`${found.dev} ${found.ino} ${folder}`, folder);
    }
    for (const [key, watcher] of this.#watchers) {
      if (wanted.has(key)) continue;
      watcher.close();
      this.#watchers.delete(key);
    }
    for (const [key, folder] of wanted) if (!this.#watchers.has(key)) this.#watchFolder(key, folder);
  }

  #watchFolder(key: string, folder: string): void {
    try {
      if (this.#watchers.size >= MAX_FOLDERS) throw new Error(`more than ${MAX_FOLDERS} folders`);
      const watcher = watch(folder, { persistent: false }, () => this.#notice());
      watcher.on('error', (error) => {
        watcher.close();
        this.#watchers.delete(key);
        this.#lookNowAndThen(error);
      });
      this.#watchers.set(key, watcher);
    } catch (error) {
      this.#lookNowAndThen(error);
    }
  }

  #lookNowAndThen(error: unknown): void {
    if (this.#poll !== undefined) return;
    this.#poll = setInterval(this.#checkGuarded, POLL_MS);
    this.#poll.unref();
    this.#options.onBlind(error);
  }
}
