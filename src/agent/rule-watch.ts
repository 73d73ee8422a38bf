import { type FSWatcher, realpathSync, statSync, watch } from 'node:fs';
import { basename, resolve } from 'node:path';
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
  /** Of the files, and of what links to them lead to. */
  #names: ReadonlySet<string> = new Set();
  #seen: string;
  #timer: NodeJS.Timeout | undefined;
  #since: number | undefined;
  #poll: NodeJS.Timeout | undefined;

  constructor(options: RuleWatchOptions) {
    this.#options = options;
    this.#seen = this.#look();
    this.#watchFolders();
  }

  /** A log that grows beside the rules is no reason to look; what appears, goes or is moved may be. */
  #isOther(event: string, name: string | null): boolean {
    return this.#since === undefined && event === 'change' && name !== null && !this.#names.has(name);
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
    const names = new Set<string>();
    const states = findRuleFiles(patterns, cwd).files.map((file) => {
      const path = resolve(cwd, file);
      names.add(basename(path));
      const found = statSync(path, { throwIfNoEntry: false, bigint: true });
      if (found === undefined) return [file];
      names.add(basename(realpathSync(path)));
      return [file, found.ino, found.size, found.mtimeNs, found.ctimeNs];
    });
    this.#names = names;
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
      const watcher = watch(folder, { persistent: false }, (event, name) => {
        if (!this.#isOther(event, name)) this.#notice();
      });
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
