import { hostname } from 'node:os';
import { KernelFiles } from './files.ts';
import { type PeerFigures, type PeerGroup, peerGroup, readPeer } from './peer-figures.ts';
import { type FoundProcess, findPeers, type PeerName } from './peer-search.ts';

/** A process that was not found is looked for again so much later: a search reads all of /proc. */
const SEARCH_EVERY_MS = 60_000;

export interface PeersOptions {
  /** Folder that has the place of `/` when files of /proc and /sys are read: where those of the machine are mounted. */
  readonly root?: string;
  /** Of the processes that share this one's host name namespace. */
  readonly hostname?: string;
}

interface Known {
  readonly process: FoundProcess;
  readonly group: PeerGroup | undefined;
}

/** Other processes of this machine, by the names that they have for themselves. Synchronous reads, a few microseconds a file. */
export class Peers {
  readonly #files: KernelFiles;
  readonly #hostname: string;
  #known = new Map<string, Known>();
  #missing = new Map<string, number>();

  constructor({ root = '/', hostname: name = hostname() }: PeersOptions = {}) {
    this.#files = new KernelFiles(root);
    this.#hostname = name;
  }

  /**
   * Reads these processes, and forgets others. @param nowMs on a clock that never goes back
   * @returns the figures of those that are found here
   */
  read<Name extends PeerName>(names: readonly Name[], nowMs: number): Map<Name, PeerFigures> {
    const figures = new Map<Name, PeerFigures>();
    const known = new Map<string, Known>();
    const missing = new Map<string, number>();
    const open: Name[] = [];
    for (const name of names) {
      const key = keyOf(name);
      const before = this.#known.get(key);
      const read = before === undefined ? undefined : readPeer(this.#files, before.process, before.group);
      const searched = before === undefined ? this.#missing.get(key) : undefined;
      if (before !== undefined && read !== undefined) {
        known.set(key, before);
        figures.set(name, read);
      } else if (searched !== undefined && nowMs - searched < SEARCH_EVERY_MS) missing.set(key, searched);
      else open.push(name);
    }
    const found = findPeers(this.#files, this.#hostname, open);
    for (const name of open) {
      const process = found.get(name);
      const group = process === undefined ? undefined : peerGroup(this.#files, process.id);
      const read = process === undefined ? undefined : readPeer(this.#files, process, group);
      if (process === undefined || read === undefined) missing.set(keyOf(name), nowMs);
      else {
        known.set(keyOf(name), { process, group });
        figures.set(name, read);
      }
    }
    this.#known = known;
    this.#missing = missing;
    return figures;
  }
}

function keyOf({ host, pid }: PeerName): string {
  return `${host}\n${pid}`;
}
