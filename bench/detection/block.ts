import { spawnSync } from 'node:child_process';
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { BlockClass } from '../../src/agent/blocks/classify.ts';
import { startRedis } from '../../test/helpers/redis.ts';
import type { BenchOptions } from '../lib/bench.ts';
import { startFixture } from '../lib/child.ts';
import type { Measured } from '../lib/figure.ts';
import type { Receiver } from '../lib/receiver.ts';
import { makeSnapshot } from '../lib/snapshot.ts';
import { quantile, spread } from '../lib/stats.ts';
import { SPANS, variants } from '../lib/variants.ts';

/** Ways to block, see bench/workers/block.js, and the class of the block that its alert is to tell. */
const WAYS = {
  spin: 'code',
  microtasks: 'code',
  regex: 'code',
  'Atomics.wait': 'code',
  spawnSync: 'child_process',
  execSync: 'child_process',
  pbkdf2Sync: 'native',
  scryptSync: 'native',
  gc: 'gc',
} as const satisfies Record<string, BlockClass>;
type Way = keyof typeof WAYS;
const BLOCK_MS = 2200;
const SETTLE_MS = 2000;
/** Within which the agent has loaded all that it will: queues are watched from 5 s after the start on. */
const WARM_MS = 8000;
const THRESHOLD_S = 1;
/** An alert that has not come by then counts as missing. */
const GRACE_MS = 2000;

/** What the worker is given of the machine. */
interface Share {
  readonly name: string;
  readonly ways: readonly Way[];
  readonly nodeArgs?: readonly string[];
  readonly settleMs?: number;
  /** Most delay beyond the threshold, s: median and 95th percentile. */
  readonly goals: readonly [number, number];
  /** Limits the process; returns what takes it back, or a sentence about why not. */
  readonly limit: (pid: number) => (() => void) | string;
}

/** As far as it is looked at here. */
interface LogRecord {
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[];
}

const SHARES: readonly Share[] = [
  {
    name: '',
    ways: (Object.keys(WAYS) as Way[]).filter((way) => way !== 'gc'),
    goals: [0.05, 0.1],
    limit: () => () => {},
  },
  {
    name: ', forced collections',
    ways: ['gc'],
    nodeArgs: ['--expose-gc'],
    goals: [0.05, 0.1],
    limit: () => () => {},
  },
  { name: ', one CPU', ways: ['spin'], goals: [0.05, 0.1], limit: pin },
  {
    name: ', 0.1 CPU',
    ways: ['spin', 'Atomics.wait'],
    settleMs: WARM_MS,
    goals: [0.2, 0.2],
    limit: throttle,
  },
];

/** One block of the event loop; times in ms since the epoch. */
interface Block {
  readonly way: Way;
  readonly begin: number;
  readonly end: number;
  /** Arrival of the alert that names the task; undefined when there was none. */
  readonly alert: number | undefined;
  /** Class that it tells. */
  readonly told: string | undefined;
}

/**
 * Seconds beyond the threshold of 1 s from the moment a handler begins to block the event loop to the arrival of TaskBlocksEventLoop at
 * the receiver. Every job has a task name of its own, so each is an alert of its own. A bare worker tells nothing.
 */
export async function measureBlocks(
  options: BenchOptions,
  receiver: Receiver,
): Promise<{ figures: Measured[]; notes: string[] }> {
  const processes = options.rounds ?? (options.quick ? 1 : 3);
  const each = options.quick ? 1 : 5;
  const figures: Measured[] = [];
  const notes = [
    `${processes} worker processes, ${each} blocks of ${BLOCK_MS / 1000} s of each kind in each, default threshold; a bare worker tells of none.`,
  ];
  for (const share of options.quick ? SHARES.slice(0, 2) : SHARES) {
    const blocks: Block[] = [];
    for (let round = 0; round < processes; round++) {
      options.progress(`detection, process ${round + 1} of ${processes}: blocks${share.name}`);
      const found = await blockLoop(share, each, `${SHARES.indexOf(share)}-${round}`, receiver, options);
      if (typeof found === 'string') {
        notes.push(`No blocks${share.name}: ${found}.`);
        break;
      }
      blocks.push(...found);
    }
    for (const way of share.ways) {
      const of = blocks.filter((block) => block.way === way);
      if (of.length > 0) figures.push(...judge(`block: ${way}${share.name}`, share, of));
    }
  }
  return { figures, notes };
}

async function blockLoop(
  share: Share,
  each: number,
  round: string,
  receiver: Receiver,
  options: BenchOptions,
): Promise<Block[] | string> {
  const jobs = share.ways.flatMap((way) =>
    Array.from({ length: each }, (_, i) => ({ way, name: `${way.replace('.', '-')}-${round}-${i}` })),
  );
  // Pauses that differ, so that blocks begin at any moment between two heartbeats.
  const snapshot = await makeSnapshot(
    jobs.map(({ name, way }, i) => ({ name, data: { way, pauseMs: 300 + ((i * 37) % 400) } })),
  );
  const redis = await startRedis({ rdb: snapshot.path });
  const variant = variants(options.preload, receiver.url).find(({ name }) => name === SPANS)!;
  const child = startFixture('block.js', {
    nodeArgs: [...(share.nodeArgs ?? []), ...variant.nodeArgs],
    env: {
      ...variant.env,
      OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'http/json',
      BENCH_REDIS_PORT: String(redis.port),
      BENCH_BLOCK_MS: String(BLOCK_MS),
      BENCH_JOBS: String(jobs.length),
      BENCH_SETTLE_MS: String(share.settleMs ?? SETTLE_MS),
    },
  });
  let release: (() => void) | string = () => {};
  try {
    await child.report('settled');
    release = share.limit(child.process.pid!);
    if (typeof release === 'string') return release;
    await child.exited();
    await delay(GRACE_MS);
    const moment = (event: string, task: string) =>
      Number(child.reports.find((report) => report.event === event && report.task === task)?.at);
    return jobs.map(({ name, way }) => {
      const begin = moment('begin', name);
      return { way, begin, end: moment('end', name), ...alertOf(receiver, name, begin) };
    });
  } finally {
    await child.kill();
    if (typeof release !== 'string') release();
    await redis.stop();
    snapshot.remove();
  }
}

/** Arrival of the first firing TaskBlocksEventLoop about the task since `begin`, and the class of the block in it. */
function alertOf(receiver: Receiver, task: string, begin: number): Pick<Block, 'alert' | 'told'> {
  for (const { event, at, body } of receiver.child.reports) {
    if (event !== 'logs' || Number(at) < begin || !String(body).includes(task)) continue;
    for (const attributes of recordsIn(String(body))) {
      const isIt =
        attributes.get('taskwarden.alert.name') === 'TaskBlocksEventLoop' &&
        attributes.get('taskwarden.alert.state') === 'firing' &&
        attributes.get('task.name') === task;
      if (isIt) return { alert: Number(at), told: attributes.get('taskwarden.block.class') };
    }
  }
  return { alert: undefined, told: undefined };
}

/** Attributes of text of the records in a request in the JSON encoding of OTLP. */
function recordsIn(body: string): Map<string, string | undefined>[] {
  const { resourceLogs } = JSON.parse(body) as {
    resourceLogs: { scopeLogs: { logRecords: LogRecord[] }[] }[];
  };
  return resourceLogs
    .flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords))
    .map(({ attributes }) => new Map(attributes.map(({ key, value }) => [key, value.stringValue])));
}

function judge(name: string, { goals: [p50, p95] }: Share, blocks: readonly Block[]): Measured[] {
  const delays = blocks.flatMap(({ begin, alert }) =>
    alert === undefined ? [] : [(alert - begin) / 1000 - THRESHOLD_S],
  );
  const inTime = blocks.filter(({ alert, end }) => alert !== undefined && alert < end).length;
  const right = blocks.filter(({ way, told }) => told === WAYS[way]).length;
  const arrived = { case: name, unit: 's', n: delays.length };
  return [
    {
      ...arrived,
      metric: 'alert_delay_p50_s',
      value: quantile(delays, 0.5),
      spread: spread(delays),
      goal: { value: p50, better: 'lower' },
    },
    {
      ...arrived,
      metric: 'alert_delay_p95_s',
      value: quantile(delays, 0.95),
      goal: { value: p95, better: 'lower' },
    },
    {
      case: name,
      n: blocks.length,
      metric: 'alert_before_block_end',
      unit: 'ratio',
      value: inTime / blocks.length,
      goal: { value: 1, better: 'higher' },
    },
    {
      case: name,
      n: blocks.length,
      metric: 'block_class_right',
      unit: 'ratio',
      value: right / blocks.length,
      goal: { value: 1, better: 'higher' },
    },
  ];
}

function pin(pid: number): (() => void) | string {
  const { status, error } = spawnSync('taskset', ['-apc', '0', String(pid)]);
  return status === 0 ? () => {} : `taskset fails${error === undefined ? '' : ` (${error.message})`}`;
}

/** A quota of the CPU controller, of whichever version of cgroups may be written. */
function throttle(pid: number): (() => void) | string {
  const name = `taskwarden-bench-${pid}`;
  const ways = [
    {
      folder: `/sys/fs/cgroup/cpu/${name}`,
      files: { 'cpu.cfs_period_us': '100000', 'cpu.cfs_quota_us': '10000' },
    },
    { folder: `/sys/fs/cgroup/${name}`, files: { 'cpu.max': '10000 100000' } },
  ];
  const faults: string[] = [];
  for (const { folder, files } of ways) {
    try {
      mkdirSync(folder);
      for (const [file, text] of Object.entries(files)) writeFileSync(`${folder}/${file}`, text);
      writeFileSync(`${folder}/cgroup.procs`, String(pid));
      return () => rmdirSync(folder);
    } catch (error) {
      faults.push((error as Error).message);
    }
  }
  return `no quota may be set (${faults.join('; ')})`;
}
