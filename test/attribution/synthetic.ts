import type { HeapObservation } from '../../src/attribution/sample-window.ts';

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Task {
  name: string;
  /** Mean runs per second. */
  rate: number;
  /** Poisson (the default), bursts (on for a few samples, off for a few), or as regular as a clock. */
  arrivals?: 'poisson' | 'bursts' | 'regular';
  /** Heap in bytes that its first `completed` runs left behind in all. */
  retains?: (completed: number) => number;
}

export interface Load {
  seed: number;
  tasks: readonly Task[];
  samples: number;
  /** Seconds between samples, give or take 30 %. */
  interval?: number;
  /** Standard deviation in bytes of the white noise of the heap. */
  white?: number;
  /** The same of its slow, autocorrelated noise. */
  slow?: number;
  /** Heap in bytes that grows with time alone, by seconds since the start. */
  background?: (seconds: number) => number;
}

/** Observations of a made-up worker; the same for the same load. */
export function* observations(load: Load): Generator<HeapObservation> {
  const next = random(load.seed);
  const completed = new Map(load.tasks.map((task) => [task.name, 0]));
  const phase = new Map(load.tasks.map((task) => [task.name, next() * 10]));
  const slowStep = 0.9;
  let slow = 0;
  let seconds = 0;
  for (let i = 0; i < load.samples; i++) {
    const step = (load.interval ?? 1.5) * (0.7 + 0.6 * next());
    seconds += step;
    let heap = 12e6 + (load.background?.(seconds) ?? 0);
    for (const { name, rate, arrivals, retains } of load.tasks) {
      const on = arrivals !== 'bursts' || Math.floor(i / 4 + phase.get(name)!) % 3 === 0;
      const mean = on ? rate * step * (arrivals === 'bursts' ? 3 : 1) : 0;
      const runs = arrivals === 'regular' ? mean : poisson(mean, next);
      const sum = completed.get(name)! + runs;
      completed.set(name, sum);
      heap += retains?.(Math.floor(sum)) ?? 0;
    }
    const inFlight = poisson(5, next);
    slow = slowStep * slow + Math.sqrt(1 - slowStep ** 2) * normal(next);
    heap += (load.white ?? 150e3) * normal(next) + (load.slow ?? 100e3) * slow + 8e3 * inFlight;
    const counts = [...completed].map(([name, runs]) => [name, Math.floor(runs)] as const);
    yield {
      level: heap,
      completedByTask: new Map(counts),
      inFlight,
      timeMs: seconds * 1000,
    };
  }
}

export function leak(bytesPerRun: number, from = 0): (completed: number) => number {
  return (completed) => bytesPerRun * Math.max(0, completed - from);
}

/** A cache of distinct keys: it grows by every run until it is full. */
export function cache(bytesPerRun: number, capacity: number): (completed: number) => number {
  return (completed) => Math.min(capacity, bytesPerRun * completed);
}

function normal(next: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

function poisson(mean: number, next: () => number): number {
  if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(next)));
  let runs = -1;
  for (let product = 1; product > Math.exp(-mean); runs++) product *= next();
  return runs;
}
