import type { Inbox, RunRecord } from '../../bridge/inbox.ts';
import { F64, type TaskKey } from '../../bridge/protocol.ts';
import type { Registry } from '../../store/registry.ts';
import { taskAttributes } from '../ingest.ts';

/** How long a peak of a task is told, ms: for this long at least, and twice as long at most. */
const KEPT_MS = 60_000;

export type Suspicion = 'exclusive' | 'shared';

/** The highest heap while something was in flight, bytes. */
export interface Peak {
  readonly bytes: number;
  /** Whether nothing else was in flight then. */
  readonly suspicion: Suspicion;
}

interface RunPeak extends Peak {
  readonly generation: number;
}

interface TaskPeak {
  readonly suspicion: Suspicion;
  readonly task: TaskKey;
  bytes: number;
  /** Highest since `sinceMs`, which takes the place of `bytes` later. */
  nextBytes: number;
  sinceMs: number;
}

/** The highest heap while runs of a task were in flight, from the readings that a thread makes of its heap every second. */
export class HeapPeaks {
  readonly #inbox: Inbox;
  readonly #registry: Registry;
  /** By slot. */
  #runs = new Map<number, RunPeak>();
  readonly #tasks = new Map<string, TaskPeak>();
  #readAt = 0;

  constructor(inbox: Inbox, registry: Registry) {
    this.#inbox = inbox;
    this.#registry = registry;
  }

  /** Takes the thread's last reading, if it is new. @param nowMs monotonic */
  check(nowMs: number): void {
    const { f64 } = this.#inbox.shared;
    const readAt = f64[F64.heapReadAt]!;
    if (readAt === this.#readAt) return;
    this.#readAt = readAt;
    const bytes = f64[F64.usedHeap]!;
    const runs = this.#inbox.inFlight().filter(({ startMs }) => startMs <= readAt);
    const runSuspicion = runs.length === 1 ? 'exclusive' : 'shared';
    const peaks = new Map<number, RunPeak>();
    for (const { slot, generation } of runs) {
      const last = this.#runs.get(slot);
      const isHigher = last?.generation !== generation || bytes > last.bytes;
      peaks.set(slot, isHigher ? { generation, bytes, suspicion: runSuspicion } : last);
    }
    this.#runs = peaks;
    const tasks = new Set(runs.map(({ task }) => task));
    const suspicion = tasks.size === 1 ? 'exclusive' : 'shared';
    for (const task of tasks) this.#raise(task, suspicion, bytes, nowMs);
    this.#age(nowMs);
  }

  /** The peak of a run that has ended; undefined for one that no reading met. */
  peakOf({ slot, generation }: Pick<RunRecord, 'slot' | 'generation'>): Peak | undefined {
    const peak = this.#runs.get(slot);
    return peak?.generation === generation ? peak : undefined;
  }

  #raise(task: TaskKey, suspicion: Suspicion, bytes: number, nowMs: number): void {
    const key = `${task.framework}\u0001${task.queue}\u0001${task.task}\u0001${suspicion}`;
    let peak = this.#tasks.get(key);
    if (peak === undefined) {
      peak = { task, suspicion, bytes: 0, nextBytes: 0, sinceMs: nowMs };
      this.#tasks.set(key, peak);
    }
    peak.nextBytes = Math.max(peak.nextBytes, bytes);
    if (bytes <= peak.bytes) return;
    peak.bytes = bytes;
    this.#registry.set('task.memory.peak', attributesOf(peak), bytes);
  }

  #age(nowMs: number): void {
    for (const [key, peak] of this.#tasks) {
      if (nowMs - peak.sinceMs < KEPT_MS) continue;
      if (peak.nextBytes === 0) {
        this.#tasks.delete(key);
        this.#remove(peak);
        continue;
      }
      peak.bytes = peak.nextBytes;
      peak.nextBytes = 0;
      peak.sinceMs = nowMs;
      this.#registry.set('task.memory.peak', attributesOf(peak), peak.bytes);
    }
  }

  #remove(peak: TaskPeak): void {
    this.#registry.remove('task.memory.peak', attributesOf(peak));
  }
}

function attributesOf({ task, suspicion }: TaskPeak): Record<string, string> {
  return { ...taskAttributes(task), 'task.suspicion': suspicion };
}
