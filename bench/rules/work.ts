import type { BenchOptions } from '../lib/bench.ts';
import { type Child, type Report, startFixture } from '../lib/child.ts';
import { SERIES_PER_TASK } from './series.ts';

/** 2,000 series. */
export const TASKS = 2000 / SERIES_PER_TASK;

export interface Work {
  /** A key of WORK in bench/workers/rules.ts. */
  readonly work: string;
  readonly tasks?: number;
  readonly copies?: number;
  readonly ticks: number;
}

/** Starts a process that does a piece of work in a worker thread like the agent's. */
export function startWork({ work, tasks = TASKS, copies = 1, ticks }: Work, options: BenchOptions): Child {
  const { cpuProfile } = options;
  const profile = cpuProfile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', cpuProfile];
  return startFixture('rules.ts', {
    nodeArgs: ['--expose-gc', ...profile],
    env: {
      BENCH_WORK: work,
      BENCH_TASKS: String(tasks),
      BENCH_COPIES: String(copies),
      BENCH_TICKS: String(ticks),
    },
    limitMs: 600_000,
  });
}

/** Its report `done`. */
export async function doWork(work: Work, options: BenchOptions): Promise<Report> {
  const child = startWork(work, options);
  await child.exited();
  return child.report('done');
}
