import { type HeapObservation, SampleWindow } from './sample-window.ts';
import { findSuspects, type SuspectLimits, unexplainedGrowth } from './suspects.ts';

/** Heap that every run of a task leaves behind. */
export interface RetainedEstimate {
  /** Bytes per run. */
  readonly bytesPerRun: number;
  /** Bytes per run, 4 standard errors below the estimate; above 0. */
  readonly lower: number;
  /** Full collections that the estimate rests on. */
  readonly samples: number;
}

export interface GrowthOptions {
  /** Observations kept; older ones are thinned out. At least 32. */
  maxSamples?: number;
  /** Tasks told apart; the rest count together and are never named. */
  maxTasks?: number;
  /** Observations before anything is said. */
  minSamples?: number;
  /** Bytes that a task must have added before it is named: what a cache may fill unsuspected. */
  minGrowthBytes?: number;
}

const CONFIDENCE = 4;
/**
 * A look at every second observation. Each that finds a task raises its standing by one, each other lowers it by one:
 * a task is named at 3 and cleared at 0, so that neither a chance hit nor a chance miss decides.
 */
const LOOK_EVERY = 2;
const NAMED_AT = 3;
const HIGHEST_STANDING = 4;
/** Newest samples that are also judged alone, for a leak that began late. */
const RECENT = 40;

interface Standing {
  level: number;
  named: boolean;
  estimate: RetainedEstimate;
}

/**
 * Tells which tasks leave heap behind, from the heap after full collections and the number of finished runs.
 * What it cannot tell is absent. Memory and time per observation are bounded by the caps.
 */
export class GrowthEstimator {
  readonly #window: SampleWindow;
  readonly #minSamples: number;
  readonly #limits: SuspectLimits;
  readonly #standings = new Map<string, Standing>();
  #unattributedLooks = 0;
  #unattributed: number | undefined;
  #untilLook = 0;

  constructor(options: GrowthOptions = {}) {
    this.#window = new SampleWindow(options.maxSamples ?? 128, options.maxTasks ?? 200);
    this.#minSamples = options.minSamples ?? 12;
    this.#limits = { confidence: CONFIDENCE, minGrowthBytes: options.minGrowthBytes ?? 8 * 1024 * 1024 };
  }

  /** Takes the next observation; those whose heap is no finite number are ignored. */
  observe(observation: HeapObservation): void {
    if (!Number.isFinite(observation.usedHeapAfterMajorGc)) return;
    this.#window.add(observation);
    if (this.#window.length < this.#minSamples || this.#untilLook-- > 0) return;
    this.#untilLook = LOOK_EVERY - 1;
    this.#look();
  }

  /** The tasks that leave heap behind, by task key. */
  estimates(): Map<string, RetainedEstimate> {
    const named = [...this.#standings].filter(([, standing]) => standing.named);
    return new Map(named.map(([task, { estimate }]) => [task, estimate]));
  }

  /** Growth in bytes/s that no task can be blamed for; undefined when there is none, or it cannot be told. */
  unattributed(): number | undefined {
    return this.#unattributedLooks >= NAMED_AT ? this.#unattributed : undefined;
  }

  #look(): void {
    const all = this.#window.newest(Number.POSITIVE_INFINITY);
    const views = all.length >= RECENT * 1.5 ? [all, this.#window.newest(RECENT)] : [all];
    const found = new Map<string, RetainedEstimate>();
    for (const view of views) {
      for (const { task, retained } of findSuspects(view, this.#limits)) {
        const lower = retained.value - CONFIDENCE * retained.standardError;
        if (!found.has(task)) found.set(task, { bytesPerRun: retained.value, lower, samples: view.length });
      }
    }
    this.#stand(found);
    const known = new Map([...this.#standings].map(([task, { estimate }]) => [task, estimate.bytesPerRun]));
    const rests = views.map((view) => unexplainedGrowth(view, known, this.#limits));
    this.#unattributed = rests.findLast((rest) => rest !== undefined);
    this.#unattributedLooks = this.#unattributed === undefined ? 0 : this.#unattributedLooks + 1;
  }

  #stand(found: ReadonlyMap<string, RetainedEstimate>): void {
    for (const [task, estimate] of found) {
      const before = this.#standings.get(task);
      const level = Math.min((before?.level ?? 0) + 1, HIGHEST_STANDING);
      this.#standings.set(task, { level, named: before?.named === true || level >= NAMED_AT, estimate });
    }
    for (const [task, standing] of this.#standings) {
      if (!found.has(task) && --standing.level === 0) this.#standings.delete(task);
    }
  }
}
