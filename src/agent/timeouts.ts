import { LearntDurations } from '../attribution/learnt.ts';
import { type ActiveRun, MAIN_THREAD, type RunRecord } from '../bridge/inbox.ts';
import type { TaskKey } from '../bridge/protocol.ts';
import type { Registry } from '../store/registry.ts';
import { taskAttributes } from './ingest.ts';

export interface TimeoutsOptions {
  /** How many times its 99th percentile a run may take. */
  readonly factor: number;
  /** Runs of a task before its percentile is said. */
  readonly runs: number;
  /** No run is overdue before this age, ms. */
  readonly floor: number;
}

interface Known {
  readonly durations: LearntDurations;
  /** How many runs the limit rests on. */
  learntFrom: number;
  /** ms; undefined until enough runs have ended. */
  p99: number | undefined;
  /** Whether the library has set a timeout, and a lock, for a run of this task. */
  timed: boolean;
  locked: boolean;
}

/** Ages of the runs of one task against their limits. */
interface Standing {
  overdue: number;
  learnt: number;
  library: number;
  expired: number;
}

/** Share by which the runs of a task must have grown for its percentile to be computed anew. */
const RENEW = 1.02;

/** How long runs may take: as their library says, and as the runs before them took. Memory: 1.2 KB a task. */
export class Timeouts {
  readonly #registry: Registry;
  readonly #options: TimeoutsOptions;
  readonly #known = new Map<TaskKey, Known>();

  constructor(registry: Registry, options: TimeoutsOptions) {
    this.#registry = registry;
    this.#options = options;
  }

  run({ task, durationMs }: RunRecord): void {
    this.#of(task).durations.add(durationMs);
  }

  /**
   * Compares the runs in flight with their limits.
   *
   * @param lagMs how long the main thread has been silent
   */
  compare(active: readonly ActiveRun[], lagMs: number): void {
    for (const known of this.#known.values()) this.#learn(known);
    const standings = new Map<TaskKey, Standing>();
    for (const run of active) this.#compare(run, lagMs, standings);
    for (const [task, known] of this.#known) this.#publish(task, known, standings.get(task) ?? NOBODY);
  }

  #compare(run: ActiveRun, lagMs: number, standings: Map<TaskKey, Standing>): void {
    const known = this.#of(run.task);
    const at = standings.get(run.task) ?? { ...NOBODY };
    standings.set(run.task, at);
    if (known.p99 !== undefined) {
      const limit = Math.max(this.#options.floor, this.#options.factor * known.p99);
      at.learnt = Math.max(at.learnt, run.ageMs / limit);
      if (run.ageMs > limit) at.overdue++;
    }
    if (run.timeoutMs > 0) {
      known.timed = true;
      at.library = Math.max(at.library, run.ageMs / run.timeoutMs);
    }
    if (run.lockMs > 0) {
      known.locked = true;
      // A run that began during the block has a lock of its own; of others the last renewal was before it.
      if (run.thread === MAIN_THREAD && Math.min(lagMs, run.ageMs) > run.lockMs) at.expired++;
    }
  }

  #publish(task: TaskKey, known: Known, at: Standing): void {
    const registry = this.#registry;
    const attributes = taskAttributes(task);
    if (known.p99 !== undefined) {
      registry.set('task.duration.learnt.p99', attributes, known.p99 / 1000);
      registry.set('task.overdue', attributes, at.overdue);
      registry.set('task.deadline.ratio', { ...attributes, 'task.deadline.source': 'learnt' }, at.learnt);
    }
    if (known.timed)
      registry.set('task.deadline.ratio', { ...attributes, 'task.deadline.source': 'library' }, at.library);
    if (known.locked) registry.set('task.lock.expired', attributes, at.expired);
  }

  #learn(known: Known): void {
    const { seen } = known.durations;
    if (seen < Math.max(this.#options.runs, known.learntFrom * RENEW)) return;
    known.p99 = known.durations.quantile(0.99);
    known.learntFrom = seen;
  }

  #of(task: TaskKey): Known {
    let known = this.#known.get(task);
    if (known === undefined) {
      known = {
        durations: new LearntDurations(),
        learntFrom: 0,
        p99: undefined,
        timed: false,
        locked: false,
      };
      this.#known.set(task, known);
    }
    return known;
  }
}

const NOBODY: Standing = { overdue: 0, learnt: 0, library: 0, expired: 0 };
