import type { Column } from './regression.ts';

/** What was in use at one look, of heap after a full collection, and what had been run until then. */
export interface HeapObservation {
  /** Of whatever may leak: bytes of heap, of buffers or of the process, or a number of descriptors. */
  readonly level: number;
  /** Finished runs since the process began, by task key; a task that is missing has 0. */
  readonly completedByTask: ReadonlyMap<string, number>;
  /** Handler runs in flight at that moment. */
  readonly inFlight: number;
  /** Time in ms on a clock that never goes back. */
  readonly timeMs: number;
}

interface Sample {
  readonly heap: number;
  readonly inFlight: number;
  readonly timeMs: number;
  /** Finished runs by the task's slot; shorter than the slots where a task was not known yet. */
  readonly runs: readonly number[];
  /** Finished runs of all tasks beyond the cap. */
  readonly otherRuns: number;
}

/** The samples from one on, as columns that start at 0 (heap excepted). */
export interface Columns {
  readonly length: number;
  readonly heap: Column;
  readonly inFlight: Column;
  /** Seconds since the first sample. */
  readonly time: Column;
  /** Finished runs since the first sample, of every task that ran since then. */
  readonly tasks: ReadonlyMap<string, Column>;
  /** The same of the tasks beyond the cap together; undefined when none of them ran. */
  readonly other: Column | undefined;
  /**
   * How far the worker is warm, from 0 to 1: its first runs bring code, feedback of inline caches and pools, later ones ever less. Undefined where
   * its first samples are left out.
   */
  readonly warmUp: Column | undefined;
}

/**
 * Observations in bounded memory. When full, every second sample of the older half goes, so that the newest stay
 * dense and the oldest reach back far enough to see a slow leak.
 */
export class SampleWindow {
  readonly #maxSamples: number;
  readonly #maxTasks: number;
  readonly #slots = new Map<string, number>();
  #samples: Sample[] = [];

  constructor(maxSamples: number, maxTasks: number) {
    this.#maxSamples = maxSamples;
    this.#maxTasks = maxTasks;
  }

  get length(): number {
    return this.#samples.length;
  }

  add(observation: HeapObservation): void {
    const runs: number[] = [];
    let otherRuns = 0;
    for (const [task, completed] of observation.completedByTask) {
      const slot = this.#slotOf(task);
      if (slot === undefined) otherRuns += completed;
      else runs[slot] = completed;
    }
    for (let slot = 0; slot < this.#slots.size; slot++) runs[slot] ??= 0;
    if (this.#samples.length >= this.#maxSamples) this.#thin();
    const { level: heap, inFlight, timeMs } = observation;
    this.#samples.push({ heap, inFlight, timeMs, runs, otherRuns });
  }

  /** The newest `count` samples, or all when there are fewer. */
  newest(count: number): Columns {
    const samples = this.#samples.slice(-count);
    const first = samples[0];
    const since = (read: (sample: Sample) => number): Column => {
      const origin = first === undefined ? 0 : read(first);
      return Float64Array.from(samples, (sample) => read(sample) - origin);
    };
    const tasks = new Map<string, Column>();
    for (const [task, slot] of this.#slots) {
      const runs = since((sample) => sample.runs[slot] ?? 0);
      if ((runs.at(-1) ?? 0) > 0) tasks.set(task, runs);
    }
    const other = since((sample) => sample.otherRuns);
    return {
      length: samples.length,
      heap: Float64Array.from(samples, (sample) => sample.heap),
      inFlight: since((sample) => sample.inFlight),
      time: since((sample) => sample.timeMs / 1000),
      tasks,
      other: (other.at(-1) ?? 0) > 0 ? other : undefined,
      warmUp: count < this.#samples.length ? undefined : Float64Array.from(samples, (_, i) => i / (i + 1)),
    };
  }

  #slotOf(task: string): number | undefined {
    const known = this.#slots.get(task);
    if (known !== undefined || this.#slots.size >= this.#maxTasks) return known;
    this.#slots.set(task, this.#slots.size);
    return this.#slots.size - 1;
  }

  #thin(): void {
    const half = this.#samples.length >> 1;
    this.#samples = this.#samples.filter((_, i) => i >= half || i % 2 === 0);
  }
}
