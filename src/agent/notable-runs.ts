import type { RunRecord } from '../bridge/inbox.ts';

/** What a run is remembered by beside its time: each is a number that is large for the runs that matter, and 0 where there is nothing. */
const MEASURES = {
  payload: (run: RunRecord) => run.payloadBytes ?? 0,
  duration: (run: RunRecord) => run.durationMs,
  wait: (run: RunRecord) => run.waitMs ?? 0,
  cpu: (run: RunRecord) => run.cpuMs,
  block: (run: RunRecord) => run.blockMs,
  requests: (run: RunRecord) => run.requests,
  failed_requests: (run: RunRecord) => run.extra?.failedRequests ?? 0,
  received: (run: RunRecord) => run.bytesIn,
  sent: (run: RunRecord) => run.bytesOut,
  handles: (run: RunRecord) => run.extra?.openHandles ?? 0,
} as const;

export type Measure = keyof typeof MEASURES;

const NAMES = Object.keys(MEASURES) as Measure[];
const FIGURES = Object.values(MEASURES);

/** Which finished runs an alert is about: the latest ones, those of a kind, or those that have most of something. */
export type Subject = 'latest' | 'failed' | 'retried' | 'duplicate' | Measure;

/** What is kept of a run: a record may have a stack and the attributes of a span, too. */
export type PastRun = Pick<
  RunRecord,
  'task' | 'jobId' | 'attempt' | 'traceId' | 'spanId' | 'startEpochMs' | 'durationMs'
>;

/** Runs kept of each kind, and of the largest of a period. */
const LATEST = 5;
const LARGEST = 3;
/** Of the largest. */
const LITTLE = 0.1;
/** Types of errors, and of duplicates, that are told apart. */
const MAX_TYPES = 8;
/** The largest are those of this time and of as long before it, ms: what rules look back to. */
const PERIOD_MS = 300_000;

/** The runs of one task that alerts may have to name. */
export class NotableRuns {
  readonly #latest: PastRun[] = [];
  readonly #failed = new LatestByType();
  readonly #duplicate = new LatestByType();
  readonly #retried: PastRun[] = [];
  #current = new Largest();
  #before: Largest | undefined;
  #since = Number.NEGATIVE_INFINITY;

  /** Thousands of times a second: a run that is nothing special costs a few comparisons. */
  add(run: RunRecord): void {
    push(this.#latest, run);
    if (run.failed) this.#failed.add(run.extra?.error?.type ?? '', past(run));
    if (run.isRetry) push(this.#retried, past(run));
    if (run.extra?.duplicate !== undefined) this.#duplicate.add(run.extra.duplicate, past(run));
    const age = Math.abs(endOf(run) - this.#since);
    if (age >= PERIOD_MS) {
      this.#before = age < 2 * PERIOD_MS ? this.#current : undefined;
      this.#current = new Largest();
      this.#since = endOf(run);
    }
    this.#current.add(run);
  }

  /** @param type of the error or the duplicate, undefined for any */
  of(subject: Subject, type: string | undefined, now: number): PastRun[] {
    if (subject === 'latest') return newest(this.#latest);
    if (subject === 'failed') return this.#failed.of(type);
    if (subject === 'duplicate') return this.#duplicate.of(type);
    if (subject === 'retried') return newest(this.#retried);
    return [...this.#current.of(subject), ...(this.#before?.of(subject) ?? [])]
      .filter(({ run }) => now - endOf(run) < 2 * PERIOD_MS)
      .sort((a, b) => b.value - a.value)
      .map(({ run }) => run)
      .slice(0, LATEST);
  }
}

/** The latest runs by type; of more types than there is room for the one that was seen last longest ago is given up. */
class LatestByType {
  readonly #types = new Map<string, PastRun[]>();

  add(type: string, run: PastRun): void {
    let runs = this.#types.get(type);
    if (runs === undefined) {
      if (this.#types.size >= MAX_TYPES) this.#forget();
      runs = [];
      this.#types.set(type, runs);
    }
    push(runs, run);
  }

  of(type: string | undefined): PastRun[] {
    const runs = type === undefined ? [...this.#types.values()].flat() : (this.#types.get(type) ?? []);
    return newest(runs);
  }

  #forget(): void {
    let oldest = '';
    let at = Number.POSITIVE_INFINITY;
    for (const [type, runs] of this.#types) {
      const end = endOf(runs[runs.length - 1]!);
      if (end >= at) continue;
      oldest = type;
      at = end;
    }
    this.#types.delete(oldest);
  }
}

/** By each measure the runs that have most of it, in no order. */
class Largest {
  readonly #floors = new Float64Array(NAMES.length);
  readonly #tops: { runs: PastRun[]; values: number[] }[] = NAMES.map(() => ({ runs: [], values: [] }));

  add(run: RunRecord): void {
    let kept: PastRun | undefined;
    for (let i = 0; i < FIGURES.length; i++) {
      const value = FIGURES[i]!(run);
      if (!(value > this.#floors[i]!)) continue;
      const { runs, values } = this.#tops[i]!;
      kept ??= past(run);
      const at = values.length < LARGEST ? values.length : values.indexOf(this.#floors[i]!);
      runs[at] = kept;
      values[at] = value;
      if (values.length === LARGEST) this.#floors[i] = Math.min(...values);
    }
  }

  /** Without those that have little beside the largest: they are only there as nobody had more. */
  of(measure: Measure): { run: PastRun; value: number }[] {
    const { runs, values } = this.#tops[NAMES.indexOf(measure)]!;
    const least = Math.max(...values) * LITTLE;
    return runs.map((run, at) => ({ run, value: values[at]! })).filter(({ value }) => value >= least);
  }
}

export function endOf({ startEpochMs, durationMs }: PastRun): number {
  return startEpochMs + durationMs;
}

function past({ task, jobId, attempt, traceId, spanId, startEpochMs, durationMs }: RunRecord): PastRun {
  return { task, jobId, attempt, traceId, spanId, startEpochMs, durationMs };
}

function push(runs: PastRun[], run: PastRun): void {
  if (runs.push(run) > LATEST) runs.shift();
}

function newest(runs: readonly PastRun[]): PastRun[] {
  return [...runs].sort((a, b) => endOf(b) - endOf(a)).slice(0, LATEST);
}
