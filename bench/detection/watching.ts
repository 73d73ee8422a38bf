import { startRedis } from '../../test/helpers/redis.ts';
import type { BenchOptions } from '../lib/bench.ts';
import { startFixture } from '../lib/child.ts';
import { compare } from '../lib/compare.ts';
import type { Goal, Measured } from '../lib/figure.ts';
import { interleave } from '../lib/interleave.ts';
import type { Receiver } from '../lib/receiver.ts';
import { median, spread } from '../lib/stats.ts';
import { SPANS, type Variant, variants } from '../lib/variants.ts';

const RECORD: Goal = { value: 450, better: 'lower' };
const HEARTBEAT: Goal = { value: 0.003, better: 'lower' };

/** What the main thread pays for being watched: for each run, and for nothing but time. */
export async function measureWatching(
  options: BenchOptions,
  receiver: Receiver,
): Promise<{ figures: Measured[]; notes: string[] }> {
  return { figures: [...(await records(options)), ...(await heartbeats(options, receiver))], notes: [] };
}

async function records({ quick, progress }: BenchOptions): Promise<Measured[]> {
  progress('detection, records of runs');
  const child = startFixture('record.ts', {
    env: { BENCH_ROUNDS: quick ? '20' : '200', NODE_NO_WARNINGS: '1' },
  });
  try {
    const found = (await child.report('record')) as unknown as {
      table: number[];
      message: number[];
      dropped: number;
    };
    if (found.dropped > 0) throw new Error(`${found.dropped} records were dropped, and cost nothing`);
    const of = (name: string, metric: string, values: readonly number[], goal?: Goal): Measured => ({
      case: `record: ${name}`,
      metric,
      unit: 'ns',
      value: median(values),
      n: values.length,
      spread: spread(values),
      goal,
    });
    return [
      of('shared table and ring', 'table_record_ns', found.table, RECORD),
      of('postMessage of the same', 'message_record_ns', found.message),
    ];
  } finally {
    await child.kill();
  }
}

/** By what the main thread of a worker takes beyond the same without the preload, while its runs only wait. */
async function heartbeats(options: BenchOptions, receiver: Receiver): Promise<Measured[]> {
  const { preload, quick, progress } = options;
  const rounds = options.rounds ?? (quick ? 1 : 4);
  const chosen = variants(preload, receiver.url).filter(
    ({ nodeArgs, name }) => nodeArgs.length === 0 || name === SPANS,
  );
  const figures: Measured[] = [];
  for (const runs of [0, 1]) {
    progress(`detection, heartbeat with ${runs} runs in flight`);
    const results = await interleave(chosen, rounds, (variant) =>
      share(variant, runs, quick ? 2000 : 10_000),
    );
    figures.push(
      ...compare(results, {
        case: `heartbeat, ${runs === 0 ? 'no run' : 'a run'} in flight`,
        metric: 'heartbeat_core_share',
        unit: 'cores',
        by: 'difference',
        of: (value) => value,
        goals: { [SPANS]: HEARTBEAT },
      }),
    );
  }
  return figures;
}

/** What the main thread takes of a core. */
async function share({ env, nodeArgs }: Variant, runs: number, ms: number): Promise<number> {
  const redis = await startRedis();
  const child = startFixture('waiting.js', {
    nodeArgs,
    env: { ...env, BENCH_RUNS: String(runs), BENCH_MS: String(ms), BENCH_REDIS_PORT: String(redis.port) },
  });
  try {
    return Number((await child.report('waited')).share);
  } finally {
    await child.kill();
    await redis.stop();
  }
}
