import { fileURLToPath, pathToFileURL } from 'node:url';
import { startRedis } from '../../test/helpers/redis.ts';
import type { Ground } from '../lib/bench.ts';
import { now, startFixture } from '../lib/child.ts';
import { absolute, compare } from '../lib/compare.ts';
import type { Goal, Measured } from '../lib/figure.ts';
import { interleave } from '../lib/interleave.ts';
import type { Receiver } from '../lib/receiver.ts';
import { makeSnapshot } from '../lib/snapshot.ts';
import { METRICS, SPANS, type Variant } from '../lib/variants.ts';

/** One start of workers/start.js. All times in ms. */
interface Start {
  /** Spawn of the process to begin of the first handler run. */
  readonly firstJob: number;
  /** Memory and CPU since its start of a process that has idled for a while. */
  readonly rssMb: number;
  readonly cpuMs: number;
  /** `worker.close()` returned to end of the process. */
  readonly stop: number;
  /** The same without the time in which telemetry still arrived at the receiver. */
  readonly stopBeyondFlush: number;
  /** Main thread between just before and just after the preload. */
  readonly preloadWall: number;
  /** CPU time of the main thread there; NaN where Node cannot tell. */
  readonly preloadCpu: number;
}

const atMost = (value: number): Record<string, Goal> => ({
  [METRICS]: { value, better: 'lower' },
  [SPANS]: { value, better: 'lower' },
});

/** What a worker pays once: later first job, blocked main thread, memory, later end. */
export async function measureStart(
  rounds: number,
  idleMs: number,
  { variants, receiver, neighbours, options }: Ground,
): Promise<Measured[]> {
  const snapshot = await makeSnapshot([{ name: 'start', data: {} }]);
  try {
    const each = async (variant: Variant, round: number) => {
      options.progress(`start, round ${round + 1} of ${rounds}: ${variant.name}`);
      return { ...(await start(variant, snapshot.path, receiver, idleMs)), ...(await preload(variant)) };
    };
    const results = await interleave(variants, rounds, each, () => neighbours.sample());
    return figures(results);
  } finally {
    snapshot.remove();
  }
}

async function start(variant: Variant, rdb: string, receiver: Receiver, idleMs: number) {
  const redis = await startRedis({ rdb });
  await receiver.reset();
  const spawned = now();
  const child = startFixture('start.js', {
    nodeArgs: variant.nodeArgs,
    env: { ...variant.env, BENCH_REDIS_PORT: String(redis.port), BENCH_IDLE_MS: String(idleMs) },
  });
  try {
    const first = Number((await child.report('first job')).at);
    const idle = await child.report('idle');
    const closed = Number((await child.report('closed')).at);
    const exited = await child.exited();
    const { lastAt } = await receiver.summary();
    const flushed = Math.max(closed, lastAt ?? 0);
    return {
      firstJob: first - spawned,
      rssMb: Number(idle.rssMb),
      cpuMs: Number(idle.cpuMs),
      stop: exited - closed,
      stopBeyondFlush: exited - flushed,
    };
  } finally {
    await child.kill();
    await redis.stop();
  }
}

const mark = (name: string) =>
  pathToFileURL(fileURLToPath(new URL(`../workers/${name}`, import.meta.url))).href;

async function preload(variant: Variant) {
  const child = startFixture('empty.js', {
    nodeArgs: ['--import', mark('mark-start.js'), ...variant.nodeArgs, '--import', mark('mark-end.js')],
    env: variant.env,
  });
  const { wallMs, cpuMs } = await child.report('preloaded');
  await child.exited();
  return { preloadWall: Number(wallMs), preloadCpu: cpuMs === null ? Number.NaN : Number(cpuMs) };
}

function figures(results: ReadonlyMap<Variant, readonly Start[]>): Measured[] {
  const name = { case: 'start', unit: 'ms' };
  const delta = { ...name, by: 'difference' } as const;
  return [
    ...absolute(results, { ...name, metric: 'first_job', of: (run) => run.firstJob }),
    ...compare(results, {
      ...delta,
      metric: 'first_job_delay_ms',
      of: (run) => run.firstJob,
      goals: atMost(100),
    }),
    ...compare(results, {
      ...delta,
      metric: 'preload_block_ms',
      of: (run) => run.preloadWall,
      goals: atMost(40),
    }),
    ...compare(results, { ...delta, metric: 'preload_main_thread_cpu_ms', of: (run) => run.preloadCpu }),
    ...compare(results, { ...delta, metric: 'start_cpu_added_ms', of: (run) => run.cpuMs }),
    ...compare(results, {
      ...delta,
      unit: 'MB',
      metric: 'rss_delta_mb',
      of: (run) => run.rssMb,
      goals: atMost(35),
    }),
    ...compare(results, { ...delta, metric: 'stop_with_flush_ms', of: (run) => run.stop }),
    ...compare(results, {
      ...delta,
      metric: 'stop_delay_ms',
      of: (run) => run.stopBeyondFlush,
      goals: atMost(20),
    }),
  ];
}
