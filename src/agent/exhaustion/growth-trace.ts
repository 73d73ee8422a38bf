import type { TaskKey } from '../../bridge/protocol.ts';

export const MEMORY_KINDS = ['heap', 'external', 'other', 'page_cache'] as const;
/** Bytes in use at one moment, by kind: see the metric taskwarden.memory.growth. */
export type MemoryByKind = Readonly<Record<(typeof MEMORY_KINDS)[number], number>>;

interface Reading {
  readonly timeMs: number;
  readonly memory: MemoryByKind;
  readonly total: number;
  /** Runs in flight of each task: who may have caused what came since the reading before. */
  readonly runs: ReadonlyMap<TaskKey, number>;
}

export interface Suspect {
  readonly task: TaskKey;
  /** Share of the growth, 0 to 1. */
  readonly share: number;
  /** Whether nobody else was there for nearly all of it. */
  readonly exclusive: boolean;
}

const WINDOW_MS = 60_000;
const MAX_READINGS = 256;
const EXCLUSIVE = 0.9;
const MAX_SUSPECTS = 10;

/** What has grown since memory was lowest within the last minute, and who was there. */
export class GrowthTrace {
  #readings: Reading[] = [];

  /** @param runs runs in flight of each task, or the one that holds the thread alone */
  add(timeMs: number, memory: MemoryByKind, runs: ReadonlyMap<TaskKey, number>): void {
    const total = MEMORY_KINDS.reduce((sum, kind) => sum + memory[kind], 0);
    this.#readings.push({ timeMs, memory, total, runs });
    const first = this.#readings.findIndex((reading) => timeMs - reading.timeMs <= WINDOW_MS);
    const surplus = this.#readings.length - MAX_READINGS;
    this.#readings.splice(0, Math.max(first, surplus));
  }

  /** Bytes by kind since the lowest reading, 0 for what has shrunk. */
  growth(): MemoryByKind {
    const [first, last] = [this.#sinceLowest()[0], this.#readings.at(-1)];
    const grown = (kind: keyof MemoryByKind): number =>
      first === undefined || last === undefined ? 0 : Math.max(0, last.memory[kind] - first.memory[kind]);
    return {
      heap: grown('heap'),
      external: grown('external'),
      other: grown('other'),
      page_cache: grown('page_cache'),
    };
  }

  /** The tasks that were there while memory grew, the most suspected first; none where it did not grow. */
  suspects(): Suspect[] {
    const readings = this.#sinceLowest();
    const shares = new Map<TaskKey, { shared: number; alone: number }>();
    let growth = 0;
    for (const [i, { total, runs }] of readings.entries()) {
      const grown = i === 0 ? 0 : Math.max(0, total - readings[i - 1]!.total);
      growth += grown;
      const all = [...runs.values()].reduce((sum, count) => sum + count, 0);
      for (const [task, count] of runs) {
        const share = shares.get(task) ?? { shared: 0, alone: 0 };
        share.shared += (grown * count) / all;
        if (runs.size === 1) share.alone += grown;
        shares.set(task, share);
      }
    }
    if (growth === 0) return [];
    return [...shares]
      .map(([task, { shared, alone }]) => ({
        task,
        share: shared / growth,
        exclusive: alone / growth >= EXCLUSIVE,
      }))
      .filter(({ share }) => share > 0)
      .sort((a, b) => b.share - a.share)
      .slice(0, MAX_SUSPECTS);
  }

  #sinceLowest(): readonly Reading[] {
    let lowest = 0;
    for (const [i, { total }] of this.#readings.entries())
      if (total <= this.#readings[lowest]!.total) lowest = i;
    return this.#readings.slice(lowest);
  }
}
