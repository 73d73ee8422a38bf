import { type HeapObservation, SampleWindow } from './sample-window.ts';
import {
  findSuspects,
  isSteadyTask,
  type Suspect,
  type SuspectLimits,
  standsOut,
  unexplainedGrowth,
  viewOf,
} from './suspects.ts';

/** What every run of a task leaves behind, in the unit of the observations. */
export interface RetainedEstimate {
  readonly perRun: number;
  /** Of a run, 4 standard errors below the estimate; above 0. */
  readonly lower: number;
  /** Full collections that the estimate rests on. */
  readonly samples: number;
}

/** What is known of one task. */
export interface LeakFinding extends RetainedEstimate {
  /**
   * `confirmed` once the task has added more than `cacheBytes`, has done so in at least five samples after it was named, and its newest
   * runs leave about as much behind as its oldest: a cache is full by then, or fills more slowly.
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
  /** What a task must have added before it is suspected, in the unit of the observations. */
  minGrowth?: number;
  /** Bytes that caches may fill: a task that has added less is never confirmed. */
  cacheBytes?: number;
}

const CONFIDENCE = 4;
/**
 * Each look that finds a task raises its standing by one, each other lowers it by one: a task is named at 3 and cleared at 0, so that
 * neither a chance hit nor a chance miss decides.
 */
const NAMED_AT = 3;
const HIGHEST_STANDING = 4;
/** What is certain is not taken back so soon. */
const CERTAIN_STANDING = 12;
/** Newest samples that are also judged alone, for a leak that began late. */
const RECENT = 40;

/** Samples after a task was named before it is taken as certain. */
const CONFIRM_SAMPLES = 5;
const MIB = 1024 * 1024;

/** What one look says of a task. */
interface Found extends Pick<Suspect, 'grown' | 'group' | 'steady'> {
  readonly estimate: RetainedEstimate;
}

/** How far things had come at some look. */
interface Since {
  readonly samples: number;
  /** Finished runs of the task. */
  readonly runs: number;
  /** Bytes that it had added. */
  readonly grown: number;
}

interface Standing extends Found {
  readonly level: number;
  /** When it was named; undefined until it is. */
  readonly since: Since | undefined;
  /** Rises and falls as the standing does, by the looks that find it certain. */
  readonly certainty: number;
  readonly confirmed: boolean;
}

/**
 * Tells which tasks leave heap behind, from the heap after full collections and the number of finished runs.
 * What it cannot tell is absent. Memory and time per observation are bounded by the caps.
 */
export class GrowthEstimator {
  readonly #window: SampleWindow;
  readonly #minSamples: number;
  readonly #limits: SuspectLimits;
  readonly #cacheBytes: number;
  readonly #standings = new Map<string, Standing>();
  /** Of tasks that cannot be told from others: they are never named. */
  readonly #ambiguous = new Map<string, Standing>();
  #observed = 0;
  #completed: ReadonlyMap<string, number> = new Map();
  #unattributedLooks = 0;
  #unattributed: number | undefined;

  constructor(options: GrowthOptions = {}) {
    this.#window = new SampleWindow(options.maxSamples ?? 128, options.maxTasks ?? 200);
    this.#minSamples = options.minSamples ?? 12;
    this.#limits = { confidence: CONFIDENCE, minGrowth: options.minGrowth ?? 2 * MIB };
    this.#cacheBytes = options.cacheBytes ?? 32 * MIB;
  }

  /** Takes the next observation; those whose heap is no finite number are ignored. */
  observe(observation: HeapObservation): void {
    if (!Number.isFinite(observation.level)) return;
    this.#window.add(observation);
    this.#observed++;
    this.#completed = observation.completedByTask;
    if (this.#window.length >= this.#minSamples) this.#look();
  }

  /** The tasks that leave heap behind, by task key. */
  estimates(): Map<string, RetainedEstimate> {
    const named = [...this.#standings].filter(([, { since }]) => since !== undefined);
    return new Map(named.map(([task, { estimate }]) => [task, estimate]));
  }

  /** The same, and those that are only suspected, by task key. */
  findings(): Map<string, LeakFinding> {
    const findings = new Map<string, LeakFinding>();
    for (const [task, { estimate, group }] of this.#ambiguous)
      findings.set(task, { ...estimate, state: 'suspected', group });
    for (const [task, { estimate, confirmed }] of this.#standings)
      findings.set(task, { ...estimate, state: confirmed ? 'confirmed' : 'suspected', group: [] });
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
    const all = viewOf(this.#window.newest(Number.POSITIVE_INFINITY), this.#limits);
    const recent =
      this.#window.length >= RECENT * 1.5 ? viewOf(this.#window.newest(RECENT), this.#limits) : undefined;
    const views = [all, recent].filter((view) => view !== undefined);
    const found = new Map<string, Found>();
    const ambiguous = new Map<string, Found>();
    for (const view of views) {
      for (const { task, retained, group, ...suspect } of findSuspects(view, this.#limits)) {
        const lower = retained.value - CONFIDENCE * retained.standardError;
        const into = group.length > 0 ? ambiguous : found;
        // Which of a group comes first is chance: it is always told under the same name.
        const [name = task, ...others] = [task, ...group].sort();
        const estimate = { perRun: retained.value, lower, samples: view.columns.length };
        const former = into.get(name)?.estimate;
        if (former === undefined && view !== all) {
          const runs = view.columns.tasks.get(task)!.at(-1)!;
          if (!standsOut(all!, { task, runs }, found.keys(), this.#limits)) continue;
        }
        if (former !== undefined && errorOf(former) <= errorOf(estimate)) continue;
        // Forty samples of a large cache that fills look like a leak; all samples do not.
        const steady = suspect.steady && (view === all || isSteadyTask(all!, task));
        into.set(name, { estimate, grown: suspect.grown, group: others, steady });
      }
    }
    this.#stand(this.#standings, found);
    this.#stand(this.#ambiguous, ambiguous);
    const known = new Map([...this.#standings].map(([task, { estimate }]) => [task, estimate.perRun]));
    const rests = views.map((view) => unexplainedGrowth(view, known, this.#limits));
    this.#unattributed = rests.findLast((rest) => rest !== undefined);
    this.#unattributedLooks = this.#unattributed === undefined ? 0 : this.#unattributedLooks + 1;
  }

  #stand(standings: Map<string, Standing>, found: ReadonlyMap<string, Found>): void {
    for (const [task, seen] of found) {
      const before = standings.get(task);
      const raised = (before?.level ?? 0) + 1;
      const now = { samples: this.#observed, runs: this.#completed.get(task) ?? 0, grown: seen.grown };
      const since = before?.since ?? (raised >= NAMED_AT ? now : undefined);
      const certainty = this.#isCertain(seen, since, now)
        ? Math.min((before?.certainty ?? 0) + 1, HIGHEST_STANDING)
        : Math.max((before?.certainty ?? 0) - 1, 0);
      const confirmed = certainty >= NAMED_AT || (before?.confirmed === true && certainty > 0);
      const level = Math.min(raised, confirmed ? CERTAIN_STANDING : HIGHEST_STANDING);
      standings.set(task, { ...seen, level, since, certainty, confirmed });
    }
    for (const [task, standing] of standings) {
      if (found.has(task)) continue;
      if (standing.level === 1) standings.delete(task);
      else standings.set(task, { ...standing, level: standing.level - 1 });
    }
  }

  #isCertain({ estimate, steady }: Found, since: Since | undefined, now: Since): boolean {
    if (!steady || since === undefined || now.samples - since.samples < CONFIRM_SAMPLES) return false;
    const grown = Math.max(now.grown, since.grown + estimate.lower * (now.runs - since.runs));
    return grown >= this.#cacheBytes;
  }
}

/** Standard error: of a rate that has changed, all samples tell less exactly than the newest. */
function errorOf({ perRun, lower }: RetainedEstimate): number {
  return (perRun - lower) / CONFIDENCE;
}
