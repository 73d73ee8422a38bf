import { GrowthEstimator, type RetainedEstimate } from '../attribution/growth.ts';
import type { WorkerProcess } from '../queues/asynq/workers.ts';

/** Processes whose growth is followed. */
const MAX_FOLLOWED = 50;
/** A Go process holds up to twice what it needs until its next collection: less than this may be nothing but that. */
const MIN_GROWTH_BYTES = 64 * 1024 * 1024;
/** Time between two looks that counts at most, as after a Redis that was away; and for which what a Redis has told of a process holds. */
const LONGEST_STEP_MS = 60_000;

interface Followed {
  readonly estimator: GrowthEstimator;
  /** Seconds that tasks of a type have been in flight, by reader, queue and type. */
  readonly secondsInFlight: Map<string, number>;
  /** Tasks in the hands of the process, by who has read it. */
  readonly hands: Map<number, { readonly tasks: readonly string[]; readonly seenMs: number }>;
  atMs: number;
}

/** What the memory of a process gained for each second in which a task of that type was in flight. */
export interface TaskGrowth {
  readonly queue: string;
  readonly type: string;
  readonly estimate: RetainedEstimate;
}

/**
 * The types of task that the memory of worker processes grows with. The regression is the one of task.memory.retained, with seconds in flight in
 * the place of finished runs, which nobody outside the process knows, and resident memory in that of the heap. A process may have servers
 * on several Redis instances, each with a reader of its own: its tasks are looked at together, as it has one memory.
 */
export class WorkerGrowth {
  readonly #now: () => number;
  readonly #followed = new Map<string, Followed>();

  /** @param now monotonic, ms */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Takes what a reader has seen of a process.
   *
   * @param process the same text for the same process, whoever reads it
   * @param memory bytes, as far as they are known
   * @returns what is known of the tasks that this reader has seen
   */
  see(reader: number, process: string, { running }: WorkerProcess, memory: number | undefined): TaskGrowth[] {
    const own = this.#of(process);
    if (own === undefined) return [];
    const nowMs = this.#now();
    const tasks = running.map(({ flight: { queue, type } }) => `${reader}\n${queue}\n${type}`);
    own.hands.set(reader, { tasks, seenMs: nowMs });
    const seconds = Math.min(nowMs - own.atMs, LONGEST_STEP_MS) / 1000;
    own.atMs = nowMs;
    let inFlight = 0;
    for (const [other, hands] of own.hands) {
      if (nowMs - hands.seenMs > LONGEST_STEP_MS) own.hands.delete(other);
      inFlight += hands.tasks.length;
      for (const task of hands.tasks)
        own.secondsInFlight.set(task, (own.secondsInFlight.get(task) ?? 0) + seconds);
    }
    if (memory !== undefined) {
      const completedByTask = own.secondsInFlight;
      own.estimator.observe({ level: memory, completedByTask, inFlight, timeMs: nowMs });
    }
    return [...own.estimator.estimates()].flatMap(([task, estimate]) => {
      const [by, queue = '', type = ''] = task.split('\n');
      return by === String(reader) ? [{ queue, type, estimate }] : [];
    });
  }

  /** The reader sees no others than these. */
  keep(reader: number, processes: ReadonlySet<string>): void {
    for (const [process, { hands }] of this.#followed) {
      if (!processes.has(process)) hands.delete(reader);
      if (hands.size === 0) this.#followed.delete(process);
    }
  }

  #of(process: string): Followed | undefined {
    const known = this.#followed.get(process);
    if (known !== undefined || this.#followed.size >= MAX_FOLLOWED) return known;
    const estimator = new GrowthEstimator({ minGrowth: MIN_GROWTH_BYTES });
    const own = { estimator, secondsInFlight: new Map(), hands: new Map(), atMs: this.#now() };
    this.#followed.set(process, own);
    return own;
  }
}
