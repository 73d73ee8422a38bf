import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { type OtlpSink, startSink } from '../../test/helpers/otlp-sink.ts';
import { startRedis } from '../../test/helpers/redis.ts';
import type { BenchOptions } from '../lib/bench.ts';
import { type Child, startFixture } from '../lib/child.ts';
import type { Measured } from '../lib/figure.ts';
import { quantile } from '../lib/stats.ts';

export type Mode = 'exact' | 'sampled';

const CONCURRENCIES = [1, 10, 50, 200];
/** Errors of runs are told for those that use at least that much, ms. */
const LEAST_RUN_MS = 5;
/** From this concurrency on samples are to reach their goal. */
const SAMPLED_FROM = 10;
const MS = { quick: 1500, exact: 10_000, sampled: 60_000 };

interface Runs {
  readonly concurrency: number;
  /** Type, number, and work of each run, in units of about 1 ms. */
  readonly spun: readonly (readonly [type: number, id: number, units: number])[];
  /** CPU time of a unit. */
  readonly unitMs: number;
}

export interface Measurements {
  readonly figures: Measured[];
  readonly notes: string[];
}

/** Half the sum of the differences between two sets of shares: which part is at the wrong task's door. */
export function misattributed(estimates: readonly number[], truths: readonly number[]): number {
  const [all, allTrue] = [sum(estimates), sum(truths)];
  return sum(estimates.map((each, i) => Math.abs(each / all - truths[i]! / allTrue))) / 2;
}

/**
 * CPU time and allocation of tasks on one event loop by Taskwarden's metrics and spans, against what the tasks themselves know. One
 * process a mode.
 */
export async function measureCpu(mode: Mode, options: BenchOptions): Promise<Measurements> {
  const sink = await startSink();
  const redis = await startRedis();
  const target = startFixture('target.js');
  try {
    const { url } = await target.report('listening');
    const ms = options.quick ? MS.quick : MS[mode];
    const child = startFixture('attribution.ts', {
      ...workerOptions(mode, options, sink.url),
      env: {
        ...workerOptions(mode, options, sink.url).env,
        BENCH_URL: String(url),
        BENCH_REDIS_PORT: String(redis.port),
        BENCH_CONCURRENCY: CONCURRENCIES.join(),
        BENCH_MS: String(ms),
        BENCH_ALLOCATION_MS: mode === 'exact' ? String(2 * ms) : '0',
      },
      limitMs: 120_000 + 6 * ms,
    });
    options.progress(`attribution: ${mode}, ${CONCURRENCIES.length} loads of ${ms / 1000} s`);
    await child.exited();
    await delay(200);
    const cpu = await judgeCpu(mode, child, sink);
    if (mode === 'exact') cpu.figures.push(await judgeAllocation(child, sink));
    return cpu;
  } finally {
    await target.kill();
    await redis.stop();
    await sink.down();
  }
}

/** Arguments and environment of a worker that is measured in one mode, whatever that costs. */
export function workerOptions(mode: Mode | 'off', { preload }: BenchOptions, endpoint: string) {
  const url = pathToFileURL(preload);
  return {
    nodeArgs: ['--import', url.href],
    env: {
      BENCH_INDEX: new URL(url.pathname.endsWith('.ts') ? 'index.ts' : 'index.js', url).href,
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_SERVICE_NAME: 'bench',
      TASKWARDEN_CPU_MODE: mode,
      TASKWARDEN_CPU_BUDGET: '1',
      TASKWARDEN_STATE_DIR: 'off',
    },
  };
}

async function judgeCpu(mode: Mode, child: Child, sink: OtlpSink): Promise<Measurements> {
  const told = await child.report('costs');
  const names = told.names as string[];
  const costs = names.map((name) => (told.costs as Record<string, number>)[name]!);
  const figures: Measured[] = [];
  const ratios: string[] = [];
  for (const { concurrency, spun, unitMs } of child.reports.filter(
    ({ event }) => event === 'runs',
  ) as unknown as Runs[]) {
    const queue = `c${concurrency}`;
    const truths = names.map((_, type) => {
      const own = spun.filter((run) => run[0] === type);
      return unitMs * sum(own.map(([, , units]) => units)) + own.length * costs[type]!;
    });
    const estimates = names.map((name) => 1000 * lastValue(sink, 'task.cpu.time', { queue, name }));
    const ratio = sum(estimates) / sum(truths);
    ratios.push(`${ratio.toFixed(3)} at ${concurrency} (${unitMs.toFixed(2)} ms a unit)`);
    const at = { case: `${mode}, concurrency ${concurrency}`, unit: 'ratio', n: spun.length };
    const hasGoal = mode === 'exact' || concurrency >= SAMPLED_FROM;
    figures.push({
      ...at,
      metric: 'cpu_misattributed',
      value: misattributed(estimates, truths),
      goal: hasGoal ? { value: mode === 'exact' ? 0.03 : 0.05, better: 'lower' } : undefined,
    });
    if (mode === 'sampled') continue;
    const scaled = spun.map(([type, id, units]) => [type, id, unitMs * units] as const);
    const errors = runErrors(scaled, costs, ratio, queue, sink);
    figures.push({
      ...at,
      metric: 'cpu_run_error_p95',
      value: quantile(errors, 0.95),
      n: errors.length,
      goal: { value: 0.1, better: 'lower' },
    });
  }
  return { figures, notes: [`Estimated over true CPU time, ${mode}: ${ratios.join(', ')}.`] };
}

/** Relative errors of single runs, beside what all estimates are too low or too high by. @param spun with ms of work */
function runErrors(
  spun: Runs['spun'],
  costs: readonly number[],
  ratio: number,
  queue: string,
  sink: OtlpSink,
): number[] {
  const estimates = new Map<string, number>();
  for (const { attributes } of sink.spans)
    estimates.set(String(attributes['messaging.message.id']), 1000 * Number(attributes['task.cpu.time']));
  return spun.flatMap(([type, id, ms]) => {
    const [truth, estimate] = [ms + costs[type]!, estimates.get(`${queue}-${id}`)];
    return truth < LEAST_RUN_MS || estimate === undefined ? [] : [Math.abs(estimate / ratio / truth - 1)];
  });
}

async function judgeAllocation(child: Child, sink: OtlpSink): Promise<Measured> {
  const truths = (await child.report('allocated')).chunks as number[];
  const estimates = truths.map((_, type) =>
    lastValue(sink, 'task.memory.allocated', { queue: 'allocation', name: `allocates-${type}` }),
  );
  const [all, allTrue] = [sum(estimates), sum(truths)];
  const differences = truths.map((truth, i) => Math.abs(estimates[i]! / all - truth / allTrue));
  return {
    case: 'allocation, concurrency 40',
    metric: 'alloc_share_error',
    unit: 'ratio',
    value: Math.max(...differences),
    n: sum(truths),
    goal: { value: 0.01, better: 'lower' },
  };
}

/** The last value of a counter, all qualities together; 0 where there is no series. */
function lastValue(sink: OtlpSink, metric: string, of: { queue: string; name: string }): number {
  const last = new Map<string, number>();
  for (const { name, attributes, value } of sink.metrics) {
    if (name !== metric || attributes['messaging.destination.name'] !== of.queue) continue;
    if (attributes['task.name'] === of.name) last.set(JSON.stringify(attributes), value);
  }
  return sum([...last.values()]);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0);
}
