import { type HeapObservation, SampleWindow } from './sample-window.ts';
import { findSuspects, type Suspect, type SuspectLimits, unexplainedGrowth } from './suspects.ts';

/** Heap that every run of a task leaves behind. */
export interface RetainedEstimate {
  /** Bytes per run. */
  readonly bytesPerRun: number;
  /** Bytes per run, 4 standard errors below the estimate; above 0. */
  readonly lower: number;
  /** Full collections that the estimate rests on. */
  readonly samples: number;
}

/** What is known of one task. */
export interface LeakFinding extends RetainedEstimate {
  /**
   * `suspected` until the task is named, and then until it has added as much again, and three times `minGrowthBytes`, in at least twelve
   * further samples: a cache has filled by then, or it is larger than can be told from a leak.
   */
  readonly state: 'suspected' | 'confirmed';
  /** Tasks that may be the cause instead, as they always run together with it. */
  readonly group: readonly string[];
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

/** Samples after a task was named before it is taken as certain, and what it must have added meanwhile, as a multiple of `minGrowthBytes`. */
const CONFIRM_SAMPLES = 12;
const CONFIRM_GROWTH = 3;

interface Standing {
  level: number;
  named: boolean;
  estimate: RetainedEstimate;
  group: readonly string[];
  /** Samples and finished runs of the task when it was named, and bytes that it had added by then. */
  since: { samples: number; runs: number; grown: number } | undefined;
}

type Found = Map<string, Pick<Suspect, 'grown' | 'group'> & { estimate: RetainedEstimate }>;

/**
 * Tells which tasks leave heap behind, from the heap after full collections and the number of finished runs.
 * What it cannot tell is absent. Memory and time per observation are bounded by the caps.
 */
export class GrowthEstimator {
  readonly #window: SampleWindow;
  readonly #minSamples: number;
  readonly #limits: SuspectLimits;
  readonly #standings = new Map<string, Standing>();
  /** Of tasks that cannot be told from others: they are never named. */
  readonly #ambiguous = new Map<string, Standing>();
  #observed = 0;
  #completed: ReadonlyMap<string, number> = new Map();
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
    this.#observed++;
    this.#completed = observation.completedByTask;
    if (this.#window.length < this.#minSamples || this.#untilLook-- > 0) return;
    this.#untilLook = LOOK_EVERY - 1;
    this.#look();
  }

  /** The tasks that leave heap behind, by task key. */
  estimates(): Map<string, RetainedEstimate> {
    const named = [...this.#standings].filter(([, standing]) => standing.named);
    return new Map(named.map(([task, { estimate }]) => [task, estimate]));
  }

  /** The same, and those that are only suspected, by task key. */
  findings(): Map<string, LeakFinding> {
    const findings = new Map<string, LeakFinding>();
    for (const [task, { estimate, group }] of this.#ambiguous)
      findings.set(task, { ...estimate, state: 'suspected', group });
    for (const [task, standing] of this.#standings) {
      const state = this.#isConfirmed(task, standing) ? 'confirmed' : 'suspected';
      findings.set(task, { ...standing.estimate, state, group: [] });
    }
    return findings;
  }

  /** Whether there have been enough observations to say anything. */
  get hasLooked(): boolean {
    return this.#window.length >= this.#minSamples;
  }

  /** Growth in bytes/s that no task can be blamed for; undefined when there is none, or it cannot be told. */
  unattributed(): number | undefined {
    return this.#unattributedLooks >= NAMED_AT ? this.#unattributed : undefined;
  }

  #look(): void {
    const all = this.#window.newest(Number.POSITIVE_INFINITY);
    const views = all.length >= RECENT * 1.5 ? [all, this.#window.newest(RECENT)] : [all];
    const found: Found = new Map();
    const ambiguous: Found = new Map();
    for (const view of views) {
      for (const { task, retained, grown, group } of findSuspects(view, this.#limits)) {
        const lower = retained.value - CONFIDENCE * retained.standardError;
        const into = group.length > 0 ? ambiguous : found;
        // Which of a group comes first is chance: it is always told under the same name.
        const [name = task, ...others] = [task, ...group].sort();
        const estimate = { bytesPerRun: retained.value, lower, samples: view.length };
        if (!into.has(name)) into.set(name, { estimate, grown, group: others });
      }
    }
    this.#stand(this.#standings, found);
    this.#stand(this.#ambiguous, ambiguous);
    const known = new Map([...this.#standings].map(([task, { estimate }]) => [task, estimate.bytesPerRun]));
    const rests = views.map((view) => unexplainedGrowth(view, known, this.#limits));
    this.#unattributed = rests.findLast((rest) => rest !== undefined);
    this.#unattributedLooks = this.#unattributed === undefined ? 0 : this.#unattributedLooks + 1;
  }

  #stand(standings: Map<string, Standing>, found: Found): void {
    for (const [task, { estimate, grown, group }] of found) {
      const before = standings.get(task);
      const level = Math.min((before?.level ?? 0) + 1, HIGHEST_STANDING);
      const named = before?.named === true || level >= NAMED_AT;
      const now = { samples: this.#observed, runs: this.#completed.get(task) ?? 0, grown };
      standings.set(task, {
        level,
        named,
        estimate,
        group,
        since: before?.since ?? (named ? now : undefined),
      });
    }
    for (const [task, standing] of standings) {
      if (!found.has(task) && --standing.level === 0) standings.delete(task);
    }
  }

  #isConfirmed(task: string, { since, estimate }: Standing): boolean {
    if (since === undefined || this.#observed - since.samples < CONFIRM_SAMPLES) return false;
    const added = estimate.lower * ((this.#completed.get(task) ?? 0) - since.runs);
    return added >= Math.max(since.grown, CONFIRM_GROWTH * this.#limits.minGrowthBytes);
  }
}
