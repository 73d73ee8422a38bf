import {
  accessSync,
  closeSync,
  constants,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { StateFolder } from '../../config/state-dir.ts';
import { checkFolder, makeFolder } from '../state-files.ts';

const MIB = 1 << 20;
/** Names that this folder gives: what else lies in it is left alone. */
const OURS = /^\d{8}T\d{9}Z-[\w.-]+\.(?:stack\.txt|cpuprofile|heapprofile|heapsnapshot)(\.part)?$/;
/** A file that is being written is left alone for so long, ms. */
const WRITING_MS = 3_600_000;
const MAX_PART = 60;
/** The smallest profile has some kilobytes. */
const LEAST_BYTES = 64 * 1024;

export interface EvidenceLimits {
  readonly maxFiles: number;
  /** MiB: of the folder, and of one file. */
  readonly maxSize: number;
  /** ms */
  readonly maxAge: number;
}

export interface EvidenceFolderOptions {
  readonly folder: StateFolder;
  readonly limits: EvidenceLimits;
  /** Wall clock, ms since the Unix epoch. */
  readonly now: () => number;
}

/** The folder of what captures write; several processes may share it. */
export class EvidenceFolder {
  readonly #options: EvidenceFolderOptions;
  #count = 0;

  constructor(options: EvidenceFolderOptions) {
    this.#options = options;
  }

  /**
   * Path for a new file, when the folder can be written to. The parts come into the name.
   *
   * @param extension one of those in {@link OURS}
   * @throws Error when it cannot
   */
  plan(parts: readonly string[], extension: string): string {
    const { folder, now } = this.#options;
    makeFolder(folder.path);
    checkFolder(folder);
    accessSync(folder.path, constants.W_OK | constants.X_OK);
    this.#checkDisk(LEAST_BYTES);
    const time = new Date(now()).toISOString().replaceAll(/[-:.]/g, '');
    const words = [...parts, String(process.pid), String(this.#count++)].map(
      (part) => part.replaceAll(/[^\w.-]+/g, '_').slice(0, MAX_PART) || '_',
    );
    return join(folder.path, `${time}-${words.join('-')}.${extension}`);
  }

  /** Writes a planned file, which is there as a whole or not at all. @throws Error when it is too large, or cannot be written */
  write(path: string, text: string): void {
    const file = this.open(path);
    try {
      file.add(text);
      file.done();
    } catch (error) {
      file.give();
      throw error;
    }
  }

  /** A planned file to be written bit by bit. @throws Error */
  open(path: string): EvidenceFile {
    this.sweep();
    return new EvidenceFile(path, this.#options.limits.maxSize * MIB);
  }

  /** @throws Error when the file system has not so much room */
  checkRoom(bytes: number): void {
    if (bytes > this.#options.limits.maxSize * MIB)
      throw new Error(`it would have more than evidence.max_size`);
    this.#checkDisk(bytes);
  }

  #checkDisk(bytes: number): void {
    const { path } = this.#options.folder;
    const { blocks, bavail, bsize } = statfsSync(path);
    // Some file systems of the network tell of no blocks at all.
    if (blocks > 0 && bavail * bsize < bytes) throw new Error(`${path} has not enough room`);
  }

  /** Removes what is too old or too much, the oldest first; one more file is to have room. */
  sweep(): void {
    const { folder, limits, now } = this.#options;
    let files = 0;
    let bytes = 0;
    // The time stands first in the name.
    const names = readdirSync(folder.path).filter((name) => OURS.test(name));
    for (const name of names.sort().reverse()) {
      const path = join(folder.path, name);
      const found = statSync(path, { throwIfNoEntry: false });
      if (found === undefined) continue;
      const age = now() - found.mtimeMs;
      files++;
      bytes += found.size;
      const isOver = age > limits.maxAge || files >= limits.maxFiles || bytes > limits.maxSize * MIB;
      const isStale = name.endsWith('.part') ? age > WRITING_MS : isOver;
      if (isStale) rmSync(path, { force: true });
    }
  }
}

/** A file that grows under a name of its own until it is whole. */
export class EvidenceFile {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #fd: number;
  #bytes = 0;

  constructor(path: string, maxBytes: number) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#fd = openSync(`${path}.part`, 'wx', 0o600);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @throws Error when it becomes too large, or cannot be written */
  add(text: string): void {
    const bytes = Buffer.from(text);
    if (this.#bytes + bytes.length > this.#maxBytes) throw new Error('it has more than evidence.max_size');
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
    this.#bytes += bytes.length;
  }

  done(): void {
    closeSync(this.#fd);
    renameSync(`${this.#path}.part`, this.#path);
  }

  /** Gives it up. */
  give(): void {
    try {
      closeSync(this.#fd);
    } catch {
      // Closed already: it is the renaming that failed.
    }
    rmSync(`${this.#path}.part`, { force: true });
  }
}
