import { Redis } from 'ioredis';
import { startRedis } from '../../test/helpers/redis.ts';
import type { BenchOptions } from '../lib/bench.ts';
import type { Measured } from '../lib/figure.ts';
import { median, ratios, spread } from '../lib/stats.ts';
import { fillAsynq, fillBullmq } from './fill.ts';
import { startWatch, type Watch } from './watch.ts';

const SMALL = 10;
/** Polls between two looks at Redis's CPU time. */
const POLLS = 400;
const QUEUES = 1000;

interface Watched {
  readonly redis: Redis;
  readonly watch: Watch;
  stop(): Promise<void>;
}

const FILLS = { bullmq: fillBullmq, asynq: fillAsynq } as const;
type System = keyof typeof FILLS;

async function watched(system: System, queues: readonly string[], tasks: number): Promise<Watched> {
  const server = await startRedis();
  const redis = new Redis(server.url);
  for (const queue of queues) await FILLS[system](redis, queue, tasks);
  const watch = await startWatch({ url: server.url, systems: [system], queues });
  return {
    redis,
    watch,
    async stop() {
      await watch.stop();
      redis.disconnect();
      await server.stop();
    },
  };
}

/** Commands in a pipeline, as the watcher has it. */
const PIPELINE = 500;

/** The very commands of the last poll, by a client that does nothing else. */
async function replay({ redis, watch }: Watched): Promise<void> {
  const commands = watch.commands.at(-1)!;
  for (let from = 0; from < commands.length; from += PIPELINE) {
    const pipeline = redis.pipeline();
    for (const [name, ...args] of commands.slice(from, from + PIPELINE))
      pipeline.call(String(name), ...args.map(String));
    await pipeline.exec();
  }
}

/** CPU time of Redis for one call, ms: user and system, from INFO. */
async function redisCpu({ redis }: Watched, times: number, call: () => Promise<void>): Promise<number> {
  const used = async (): Promise<number> =>
    [...(await redis.info('cpu')).matchAll(/^used_cpu_(?:sys|user):([\d.]+)/gm)].reduce(
      (sum, [, s]) => sum + Number(s),
      0,
    );
  const before = await used();
  for (let i = 0; i < times; i++) await call();
  return ((await used()) - before) * (1000 / times);
}

/**
 * Redis's CPU a poll of one queue of 1,000,000 tasks against one of 10; and that for each of more queues. The control of the latter is
 * what the same commands cost without a watcher: a command takes Redis longer where its keys no longer fit the caches of the CPU.
 */
export async function measureGrowth(options: BenchOptions): Promise<Measured[]> {
  return [...(await growthOf('bullmq', options)), ...(await growthOf('asynq', options))];
}

async function growthOf(system: System, { quick, rounds, progress }: BenchOptions): Promise<Measured[]> {
  const large = quick ? 100_000 : 1_000_000;
  const n = rounds ?? (quick ? 3 : 15);
  const polls = quick ? 100 : POLLS;
  progress(`queues, cost: ${large} tasks of ${system} are made`);
  const few = await watched(system, ['q'], SMALL);
  const many = await watched(system, ['q'], large);
  const names = (count: number) => Array.from({ length: count }, (_, i) => `q${i}`);
  const fleets = [
    { queues: 100, every: 4 },
    { queues: 1000, every: 40 },
    { queues: 3000, every: 120 },
  ];
  const all = [
    { each: few, times: polls },
    { each: many, times: polls },
    ...(await Promise.all(
      fleets.map(async ({ queues, every }) => ({
        each: await watched(system, names(queues), SMALL),
        times: Math.ceil(polls / every),
      })),
    )),
  ];
  try {
    for (const { each } of all) await redisCpu(each, 20, () => each.watch.poll());
    const costs = all.map((): number[] => []);
    const replays = all.map((): number[] => []);
    for (let round = 0; round < n; round++) {
      progress(`queues, cost: ${system}, round ${round + 1} of ${n}`);
      for (const [at, { each, times }] of all.entries()) {
        costs[at]!.push(await redisCpu(each, times, () => each.watch.poll()));
        replays[at]!.push(await redisCpu(each, times, () => replay(each)));
      }
    }
    const growth = ratios(costs[1]!, costs[0]!);
    // Without what a poll costs whatever the number of queues.
    const perQueue = (of: readonly (readonly number[])[], at: number): number[] =>
      of[at + 2]!.map((cost, round) => (cost - of[0]![round]!) / (fleets[at]!.queues - 1));
    const linear = (of: readonly (readonly number[])[], at: number): number[] =>
      ratios(perQueue(of, at), perQueue(of, at - 1));
    return [
      {
        case: `${system}: ${large} tasks over ${SMALL}`,
        metric: 'redis_cpu_growth_1e6_over_10',
        unit: 'ratio',
        value: median(growth),
        spread: spread(growth),
        n,
        goal: { value: 1.2, better: 'lower' },
      },
      {
        case: `${system}: one queue of 10 tasks`,
        metric: 'redis_cpu_per_poll_ms',
        unit: 'ms',
        value: median(costs[0]!),
        spread: spread(costs[0]!),
        n,
      },
      ...[1, 2].map((at): Measured => {
        const [values, control] = [linear(costs, at), linear(replays, at)];
        return {
          case: `${system}: a queue of ${fleets[at]!.queues} over one of ${fleets[at - 1]!.queues}`,
          metric: 'redis_cpu_per_queue_growth',
          unit: 'ratio',
          value: median(values),
          spread: spread(values),
          n,
          goal: { value: 1.2, better: 'lower' },
          control: { value: median(control), spread: spread(control) },
        };
      }),
    ];
  } finally {
    for (const { each } of all) await each.stop();
  }
}

/** CPU of this process for one poll of 1,000 queues, all series set. */
export async function measureMany(options: BenchOptions): Promise<Measured[]> {
  return [...(await manyOf('bullmq', options)), ...(await manyOf('asynq', options))];
}

async function manyOf(system: System, { quick, rounds, progress }: BenchOptions): Promise<Measured[]> {
  const n = rounds ?? (quick ? 5 : 30);
  progress(`queues, many: ${QUEUES} queues of ${system}, ${n} polls`);
  const names = Array.from({ length: QUEUES }, (_, i) => `q${i}`);
  const each = await watched(system, names, SMALL);
  try {
    // All turns, so that every series is there.
    for (let i = 0; i < 8; i++) await each.watch.poll();
    const costs: number[] = [];
    const times: number[] = [];
    for (let i = 0; i < n; i++) {
      const before = process.cpuUsage();
      const began = performance.now();
      await each.watch.poll();
      const { user, system } = process.cpuUsage(before);
      costs.push((user + system) / 1000);
      times.push(performance.now() - began);
    }
    const sent = each.watch.commands.at(-1)!.length / QUEUES;
    const one = { case: `${system}: ${QUEUES} queues`, n };
    return [
      {
        ...one,
        metric: 'poll_1000_queues_cpu_ms',
        unit: 'ms',
        value: median(costs),
        spread: spread(costs),
        goal: { value: 250, better: 'lower' },
      },
      { ...one, metric: 'poll_1000_queues_ms', unit: 'ms', value: median(times), spread: spread(times) },
      { ...one, metric: 'commands_per_queue_mean', unit: 'count', value: sent },
    ];
  } finally {
    await each.stop();
  }
}
