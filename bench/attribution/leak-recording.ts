import { GrowthEstimator } from '../../src/attribution/growth.ts';
import { type LeakKind, leakLimits } from '../../src/attribution/leak-limits.ts';
import type { Head, SampleLine } from '../workers/leak-scenarios.ts';

/** One sample of a worker, by the names of its columns. */
export interface RecordedSample {
  readonly timeMs: number;
  readonly memory: Readonly<Record<LeakKind, number>>;
  readonly inFlight: number;
  readonly completedByTask: ReadonlyMap<string, number>;
}

/** What a worker of leak.ts has printed. */
export interface Recording {
  readonly head: Head;
  readonly samples: readonly RecordedSample[];
}

/** What the estimator said of one kind of memory in the course of a recording. */
export interface Told {
  /** The sample, counted from 1, at which each task was first named, and confirmed. */
  readonly named: ReadonlyMap<string, number>;
  readonly confirmed: ReadonlyMap<string, number>;
  /** What a run leaves behind, when the task was first named, and at the end. */
  readonly estimates: ReadonlyMap<string, number>;
  readonly last: ReadonlyMap<string, number>;
  /** Samples after which growth was reported that no task is blamed for. */
  readonly unattributed: number;
}

export function readRecording(text: string): Recording {
  const [first, ...lines] = text.trim().split('\n');
  const head = JSON.parse(first!) as Head;
  const samples = lines.map((line): RecordedSample => {
    const [timeMs, heap, external, rss, descriptors, inFlight, ...runs] = JSON.parse(line) as SampleLine;
    const completedByTask = new Map(head.tasks.map((task, i) => [task, runs[i]!]));
    return { timeMs, memory: { heap, external, rss, descriptors }, inFlight, completedByTask };
  });
  return { head, samples };
}

/** Gives a recording to the estimator as the agent would have, sample by sample. */
export function watch({ samples }: Recording, kind: LeakKind): Told {
  const estimator = new GrowthEstimator(leakLimits(kind));
  const named = new Map<string, number>();
  const confirmed = new Map<string, number>();
  const estimates = new Map<string, number>();
  let unattributed = 0;
  for (const [i, { memory, ...sample }] of samples.entries()) {
    estimator.observe({ ...sample, level: memory[kind] });
    for (const [task, { perRun }] of estimator.estimates()) {
      if (named.has(task)) continue;
      named.set(task, i + 1);
      estimates.set(task, perRun);
    }
    for (const [task, { state }] of estimator.findings())
      if (state === 'confirmed' && !confirmed.has(task)) confirmed.set(task, i + 1);
    if (estimator.unattributed() !== undefined) unattributed++;
  }
  const last = new Map([...estimator.estimates()].map(([task, { perRun }]) => [task, perRun]));
  return { named, confirmed, estimates, last, unattributed };
}
