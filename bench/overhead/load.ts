import { join } from 'node:path';
import { startRedis } from '../../test/helpers/redis.ts';
import type { Ground } from '../lib/bench.ts';
import { startFixture } from '../lib/child.ts';
import { absolute, type Comparison, compare } from '../lib/compare.ts';
import type { Goal, Measured } from '../lib/figure.ts';
import { interleave } from '../lib/interleave.ts';
import type { Receiver } from '../lib/receiver.ts';
import { makeSnapshot } from '../lib/snapshot.ts';
import { quantile } from '../lib/stats.ts';
import { METRICS, SPANS, type Variant } from '../lib/variants.ts';

/** Result of one run of workers/load.js. Per job: µs of CPU, all threads; to exit: until the process has ended. */
interface Run {
  readonly cpuPerJob: number;
  readonly cpuPerJobToExit: number;
  readonly jobsPerSecond: number;
  readonly rssMb: number;
  /** Ms from handler begin to handler end. */
  readonly durations: readonly number[];
  readonly telemetryKbPer1k: number;
  readonly spansPerJob: number;
}

export interface Load {
  readonly name: 'noop' | 'io';
  readonly jobs: number;
  readonly warmUp: number;
  readonly rounds: number;
}

const SETTLE_MS = 1500;

const atMost = (metrics: number, spans = metrics): Record<string, Goal> => ({
  [METRICS]: { value: metrics, better: 'lower' },
  [SPANS]: { value: spans, better: 'lower' },
});

const NOOP: readonly Omit<Comparison<Run>, 'case'>[] = [
  {
    metric: 'cpu_per_job_ratio',
    unit: 'ratio',
    by: 'ratio',
    of: (run) => run.cpuPerJob,
    goals: atMost(1.25, 1.5),
  },
  { metric: 'cpu_per_job_to_exit_ratio', unit: 'ratio', by: 'ratio', of: (run) => run.cpuPerJobToExit },
  { metric: 'cpu_per_job_added', unit: 'us', by: 'difference', of: (run) => run.cpuPerJob },
  {
    metric: 'jobs_per_second_ratio',
    unit: 'ratio',
    by: 'ratio',
    of: (run) => run.jobsPerSecond,
    goals: { [METRICS]: { value: 0.85, better: 'higher' }, [SPANS]: { value: 0.85, better: 'higher' } },
  },
  { metric: 'rss_delta_mb', unit: 'MB', by: 'difference', of: (run) => run.rssMb, goals: atMost(35) },
];

const IO: readonly Omit<Comparison<Run>, 'case'>[] = [
  { metric: 'io_cpu_ratio', unit: 'ratio', by: 'ratio', of: (run) => run.cpuPerJob, goals: atMost(1.05) },
  { metric: 'io_cpu_added', unit: 'us', by: 'difference', of: (run) => run.cpuPerJob },
  {
    metric: 'io_p50_ratio',
    unit: 'ratio',
    by: 'ratio',
    of: (run) => quantile(run.durations, 0.5),
    goals: atMost(1.02),
  },
  {
    metric: 'io_p99_ratio',
    unit: 'ratio',
    by: 'ratio',
    of: (run) => quantile(run.durations, 0.99),
    goals: atMost(1.1),
  },
  { metric: 'rss_delta_mb', unit: 'MB', by: 'difference', of: (run) => run.rssMb, goals: atMost(35) },
];

/** Jobs that wait in Redis, worked off once per variant and round, always from the same snapshot. */
export async function measureLoad(
  load: Load,
  { variants, receiver, neighbours, options }: Ground,
): Promise<Measured[]> {
  const snapshot = await makeSnapshot(
    Array.from({ length: load.jobs }, () => ({ name: load.name, data: {} })),
  );
  const target = startFixture('target.js', { limitMs: 3_600_000 });
  const { url } = await target.report('listening');
  try {
    const each = async (variant: Variant, round: number) => {
      options.progress(`${load.name}, round ${round + 1} of ${load.rounds}: ${variant.name}`);
      return run(load, variant, snapshot.path, String(url), receiver, options.cpuProfile);
    };
    const results = await interleave(variants, load.rounds, each, () => neighbours.sample());
    return figures(load, results);
  } finally {
    await target.kill();
    snapshot.remove();
  }
}

async function run(
  load: Load,
  variant: Variant,
  rdb: string,
  target: string,
  receiver: Receiver,
  cpuProfile: string | undefined,
): Promise<Run> {
  const redis = await startRedis({ rdb });
  await receiver.reset();
  const folder =
    cpuProfile === undefined ? [] : [join(cpuProfile, `${load.name} ${variant.name}`.replaceAll(' ', '-'))];
  const child = startFixture('load.js', {
    nodeArgs: [...variant.nodeArgs, ...folder.flatMap((path) => ['--cpu-prof', '--cpu-prof-dir', path])],
    env: {
      ...variant.env,
      BENCH_LOAD: load.name,
      BENCH_JOBS: String(load.jobs),
      BENCH_WARM_UP: String(load.warmUp),
      BENCH_SETTLE_MS: String(SETTLE_MS),
      BENCH_REDIS_PORT: String(redis.port),
      BENCH_TARGET: target,
    },
  });
  try {
    const report = (await child.report('load')) as unknown as Run;
    await child.exited();
    const { bytes, spans } = await receiver.summary();
    return { ...report, telemetryKbPer1k: bytes / load.jobs, spansPerJob: spans / load.jobs };
  } finally {
    await child.kill();
    await redis.stop();
  }
}

function figures(load: Load, results: ReadonlyMap<Variant, readonly Run[]>): Measured[] {
  const preloaded = new Map([...results].filter(([variant]) => variant.nodeArgs.length > 0));
  const traced = new Map([...results].filter(([variant]) => variant.traces));
  const name = { case: load.name };
  return [
    ...absolute(results, { ...name, metric: 'cpu_per_job', unit: 'us', of: (run) => run.cpuPerJob }),
    ...absolute(results, { ...name, metric: 'jobs_per_second', unit: '1/s', of: (run) => run.jobsPerSecond }),
    ...(load.name === 'noop' ? NOOP : IO).flatMap((each) => compare(results, { ...name, ...each })),
    ...absolute(preloaded, {
      ...name,
      metric: 'telemetry_kb_per_1k_jobs',
      unit: 'KB',
      of: (run) => run.telemetryKbPer1k,
    }),
    ...absolute(traced, {
      ...name,
      metric: 'spans_per_job',
      unit: 'ratio',
      of: (run) => run.spansPerJob,
      goals: { [SPANS]: { value: 1, better: 'higher' } },
    }),
  ];
}
