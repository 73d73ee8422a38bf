import { setTimeout as delay } from 'node:timers/promises';
import { startRedis } from '../test/helpers/redis.ts';
import { measureCrashes } from './detection/crash.ts';
import { measureMemory } from './detection/memory.ts';
import type { Bench, BenchOptions } from './lib/bench.ts';
import { startFixture } from './lib/child.ts';
import { figure, type Measured } from './lib/figure.ts';
import { Neighbours } from './lib/machine.ts';
import { type Receiver, startReceiver } from './lib/receiver.ts';
import { makeSnapshot } from './lib/snapshot.ts';
import { quantile, spread } from './lib/stats.ts';
import { SPANS, variants } from './lib/variants.ts';

export const CASES = ['block', 'crash', 'memory'] as const;
const BLOCK_MS = 3000;
const SETTLE_MS = 2000;
/** An alert that has not come by then counts as missing. */
const GRACE_MS = 2000;

/** One block of the event loop; times in ms since the epoch. */
interface Block {
  readonly begin: number;
  readonly end: number;
  /** Arrival of the alert that names the task; undefined when there was none. */
  readonly alert: number | undefined;
}

/**
 * Seconds from the moment a handler begins to block the event loop for 3 s to the arrival of TaskBlocksEventLoop at the
 * receiver, with the default threshold of 1 s. Every job has a task name of its own, so each is an alert of its own.
 */
export const detection: Bench = async (options) => {
  const wants = (name: (typeof CASES)[number]): boolean =>
    options.cases.length === 0 || options.cases.includes(name);
  const jobs = options.quick ? 3 : 6;
  const processes = options.rounds ?? (options.quick ? 1 : 3);
  const neighbours = new Neighbours();
  const receiver = await startReceiver();
  const blocks: Block[] = [];
  let crashes: Awaited<ReturnType<typeof measureCrashes>> = { figures: [], notes: [] };
  let memory: Awaited<ReturnType<typeof measureMemory>> = { figures: [], notes: [] };
  try {
    for (let round = 0; round < (wants('block') ? processes : 0); round++) {
      await neighbours.sample();
      options.progress(`detection, process ${round + 1} of ${processes}: ${jobs} blocks of ${BLOCK_MS} ms`);
      blocks.push(...(await blockLoop(jobs, round, receiver, options)));
    }
    if (wants('crash')) crashes = await measureCrashes(options, receiver);
    if (wants('memory')) memory = await measureMemory(options, receiver);
  } finally {
    await receiver.stop();
  }
  const measured = [...(wants('block') ? judge(blocks) : []), ...crashes.figures, ...memory.figures];
  return {
    figures: measured.map((each) => figure('detection', each)),
    notes: [
      String(neighbours),
      ...crashes.notes,
      ...memory.notes,
      wants('block')
        ? `${processes} worker processes, ${jobs} blocks of ${BLOCK_MS / 1000} s each, default threshold.`
        : '',
    ],
  };
};

async function blockLoop(
  jobs: number,
  round: number,
  receiver: Receiver,
  options: BenchOptions,
): Promise<Block[]> {
  const tasks = Array.from({ length: jobs }, (_, i) => `block-${round}-${i}`);
  // Pauses that differ, so that blocks begin at any moment between two heartbeats.
  const snapshot = await makeSnapshot(
    tasks.map((name, i) => ({ name, data: { pauseMs: 300 + ((i * 37) % 400) } })),
  );
  const redis = await startRedis({ rdb: snapshot.path });
  const variant = variants(options.preload, receiver.url).find(({ name }) => name === SPANS)!;
  const child = startFixture('block.js', {
    nodeArgs: variant.nodeArgs,
    env: {
      ...variant.env,
      BENCH_REDIS_PORT: String(redis.port),
      BENCH_BLOCK_MS: String(BLOCK_MS),
      BENCH_JOBS: String(jobs),
      BENCH_SETTLE_MS: String(SETTLE_MS),
    },
  });
  try {
    await child.exited();
    await delay(GRACE_MS);
    const moment = (event: string, task: string) =>
      Number(child.reports.find((report) => report.event === event && report.task === task)?.at);
    return tasks.map((task) => {
      const begin = moment('begin', task);
      return { begin, end: moment('end', task), alert: alertAt(receiver, task, begin) };
    });
  } finally {
    await child.kill();
    await redis.stop();
    snapshot.remove();
  }
}

/**
 * Arrival of the first log request since `begin` that holds a firing TaskBlocksEventLoop and the name of the task; strings
 * are plain in both encodings of OTLP.
 */
function alertAt(receiver: Receiver, task: string, begin: number): number | undefined {
  const needles = ['taskwarden.alert', 'TaskBlocksEventLoop', 'firing', task];
  const found = receiver.child.reports.find(
    ({ event, at, body }) =>
      event === 'logs' && Number(at) >= begin && needles.every((needle) => String(body).includes(needle)),
  );
  return found === undefined ? undefined : Number(found.at);
}

function judge(blocks: readonly Block[]): Measured[] {
  const delays = blocks.flatMap(({ begin, alert }) => (alert === undefined ? [] : [(alert - begin) / 1000]));
  const inTime = blocks.filter(({ alert, end }) => alert !== undefined && alert < end).length;
  const one = { case: 'block', n: blocks.length };
  const arrived = { case: 'block', unit: 's', n: delays.length };
  const goal = { value: 1.1, better: 'lower' } as const;
  return [
    {
      ...arrived,
      metric: 'alert_delay_s',
      value: quantile(delays, 0.5),
      spread: spread(delays),
      goal,
    },
    { ...arrived, metric: 'alert_delay_p95_s', value: quantile(delays, 0.95), goal },
    {
      ...one,
      metric: 'alert_before_block_end',
      unit: 'ratio',
      value: inTime / blocks.length,
      goal: { value: 1, better: 'higher' },
    },
  ];
}
