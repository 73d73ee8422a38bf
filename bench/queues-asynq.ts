import { Redis } from 'ioredis';
import { createAsynq } from '../src/queues/asynq/asynq.ts';
import { Claims } from '../src/queues/claims.ts';
import { connect } from '../src/queues/link.ts';
import { RedisWatcher } from '../src/queues/redis-watcher.ts';
import { parseTarget } from '../src/queues/target.ts';
import { Registry } from '../src/store/registry.ts';
import { Asynq } from '../test/helpers/asynq.ts';
import { asynqMissing } from '../test/helpers/go-programs.ts';
import { type RedisServer, startRedis } from '../test/helpers/redis.ts';
import type { BenchOptions } from './lib/bench.ts';
import type { Measured } from './lib/figure.ts';
import { quantile, spread } from './lib/stats.ts';
import { fillAsynq } from './queues/fill.ts';

const METRIC = 'asynq_exporter_redis_cpu_ratio';
const INTERVAL_MS = 1000;

/** Where the million tasks are: ready, in one queue or in many, or in groups of 100,000 users that wait to be put together (of as many as there are tasks, with fewer). */
const LOADS = [
  { name: 'ready in 1 queue', state: 'pending', queues: 1 },
  { name: 'ready in 100 queues', state: 'pending', queues: 100 },
  { name: 'in the groups of 1 queue', state: 'aggregating', queues: 1 },
] as const;

/**
 * CPU time that Redis spends on one scrape of asynq's own collector for Prometheus (asynq/x/metrics), divided by what it spends on
 * one poll of the watcher, TIME, INFO and the lease included. Both see the same million tasks.
 */
export async function asynqExporterRatio(
  options: BenchOptions,
): Promise<{ measured: Measured[]; notes: string[] }> {
  const missing = asynqMissing();
  if (missing) return { measured: [], notes: [missing] };
  const tasks = options.quick ? 20_000 : 1_000_000;
  const measured: Measured[] = [];
  const notes: string[] = [];
  for (const { name, state, queues } of LOADS) {
    const server = await startRedis();
    const redis = new Redis(server.url);
    try {
      options.progress(`${METRIC}: ${tasks} tasks ${name}`);
      for (let i = 0; i < queues; i++) await fillAsynq(redis, `q${i}`, tasks / queues, state);
      const { ratios, exporterUs, pollUs } = await compare(server, redis, options);
      measured.push({
        case: `asynq: ${tasks} tasks ${name}`,
        metric: METRIC,
        unit: 'ratio',
        value: quantile(ratios, 0.5),
        n: ratios.length,
        spread: spread(ratios),
        goal: { value: 10, better: 'higher' },
      });
      notes.push(
        `${name}: Redis spends ${exporterUs.toFixed(0)} µs on a scrape of the exporter and ${pollUs.toFixed(0)} µs on a poll.`,
      );
    } finally {
      redis.disconnect();
      await server.stop();
    }
  }
  return { measured, notes };
}

/** Rounds of both in turn, with as many of each as take Redis some hundredth of a second at least. */
async function compare(server: RedisServer, redis: Redis, { quick, rounds }: BenchOptions) {
  // A clock that goes on by an interval from poll to poll, so that none comes too soon to be one.
  let nowMs = 0;
  const watcher = new RedisWatcher({
    target: parseTarget(server.url),
    registry: new Registry(Date.now(), { maxSeriesPerMetric: 2000 }),
    connect,
    intervalMs: INTERVAL_MS,
    owner: 'bench',
    leaderless: true,
    claims: new Claims(),
    searchSteps: 2,
    now: () => nowMs,
    onError: (error) => {
      throw error;
    },
  });
  const asynq = createAsynq();
  watcher.scope(asynq, asynq.prefix);
  const exporter = (await Asynq.on(server)).exporter();
  try {
    const repeat = quick ? 20 : 300;
    const scrapes = async (n: number) => cpuOf(redis, n, exporter.scrape);
    const polls = async (n: number) =>
      cpuOf(redis, n, () => {
        nowMs += INTERVAL_MS;
        return watcher.poll();
      });
    // A scrape of many groups takes a tenth of a second.
    const perScrape = await scrapes(3);
    const scrapeRepeat = Math.max(3, Math.min(repeat, Math.round(0.5 / perScrape)));
    await polls(10);
    const pairs: [exporter: number, poll: number][] = [];
    for (let round = 0; round < (rounds ?? (quick ? 2 : 7)); round++)
      pairs.push([await scrapes(scrapeRepeat), await polls(repeat)]);
    const median = (at: 0 | 1) =>
      quantile(
        pairs.map((pair) => pair[at]),
        0.5,
      ) * 1e6;
    return { ratios: pairs.map(([scrape, poll]) => scrape / poll), exporterUs: median(0), pollUs: median(1) };
  } finally {
    exporter.stop();
    await watcher.stop();
  }
}

/** CPU seconds of Redis for one call. */
async function cpuOf(redis: Redis, n: number, call: () => Promise<unknown>): Promise<number> {
  const before = await usedCpu(redis);
  for (let i = 0; i < n; i++) await call();
  return ((await usedCpu(redis)) - before) / n;
}

async function usedCpu(redis: Redis): Promise<number> {
  const info = await redis.info('cpu');
  return [...info.matchAll(/^used_cpu_(?:sys|user):([\d.]+)/gm)].reduce((sum, [, s]) => sum + Number(s), 0);
}
