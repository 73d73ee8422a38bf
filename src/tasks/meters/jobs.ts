import { GC_KINDS, I32, type Shared, SLOT_COUNT } from '../../bridge/protocol.ts';
import { METRICS } from '../../model/metrics.ts';
import type { Tally } from '../tally.ts';

/** Job objects that are looked after at a time: in all, and of one task. */
const MAX_LIVE = 1000;
const MAX_OF_TASK = 100;
/** Full collections after the end of a run that a job object may survive. */
const COLLECTIONS = 3;

const GC_BUCKETS = (METRICS['v8js.gc.duration'].buckets?.length ?? 0) + 1;
const MAJOR_AT = I32.gcCounts + GC_KINDS.indexOf('major') * GC_BUCKETS;

interface Sampled {
  readonly taskId: number;
  readonly job: WeakRef<object>;
  /** Full collections by then, once the run has ended and that has been noticed. */
  endedAt: number | undefined;
}

/**
 * Whether the objects of jobs go away when their runs have ended. While there is room in the sample a run costs a WeakRef, and
 * nothing to speak of when there is none.
 */
export class JobSample {
  readonly #shared: Shared;
  readonly #tally: Tally;
  /** Of runs in flight, by their slot. */
  readonly #running: (Sampled | undefined)[] = Array.from({ length: SLOT_COUNT }, () => undefined);
  readonly #ofTask: number[] = [];
  #live = 0;
  #ended: Sampled[] = [];

  constructor(shared: Shared, tally: Tally) {
    this.#shared = shared;
    this.#tally = tally;
  }

  begin(slot: number, taskId: number, job: object): void {
    const ofTask = this.#ofTask[taskId] ?? 0;
    if (ofTask >= MAX_OF_TASK || this.#live >= MAX_LIVE || slot < 0) return;
    this.#ofTask[taskId] = ofTask + 1;
    this.#live++;
    this.#running[slot] = { taskId, job: new WeakRef(job), endedAt: undefined };
  }

  end(slot: number): void {
    const sampled = this.#running[slot];
    if (sampled === undefined) return;
    this.#running[slot] = undefined;
    this.#ended.push(sampled);
  }

  /** Looks which job objects are due and still there; to be called about once a second. */
  check(): void {
    if (this.#ended.length === 0) return;
    const collections = this.#collections();
    this.#ended = this.#ended.filter((sampled) => {
      // Collections are told a moment later: those before the run's end must not count, so the count begins here.
      sampled.endedAt ??= collections;
      if (collections - sampled.endedAt < COLLECTIONS) return true;
      const { taskId, job } = sampled;
      this.#ofTask[taskId]!--;
      this.#live--;
      this.#tally.add(taskId, 'jobs_checked', 1);
      if (job.deref() !== undefined) this.#tally.add(taskId, 'jobs_retained', 1);
      return false;
    });
  }

  #collections(): number {
    let count = 0;
    for (let bucket = 0; bucket < GC_BUCKETS; bucket++) count += this.#shared.i32[MAJOR_AT + bucket]!;
    return count;
  }
}
