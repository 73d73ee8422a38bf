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
const MS = { quick: 1500, exact: 20_000, sampled: 60_000 };

/** A run by its type, its number, and what it did: ms of CPU by a clock around it, and units of work of about 1 ms. */
type Spun = readonly [type: number, id: number, ms: number, units: number];

interface Runs {
  readonly concurrency: number;
  /** Types, and what a run of each costs beside its work, ms of CPU. */
  readonly names: readonly string[];
  readonly costs: readonly number[];
  readonly spun: readonly Spun[];
  /** CPU time of the thread, without what it does beside runs, ms. */
  readonly threadMs: number;
  /** CPU time of a unit, of many in a row before and after, ms. */
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
    const cpu = judgeCpu(mode, child, sink);
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

/**
 * The control is a second measure of the same work, by its amount: what runs and tasks differ by from one to the other is what this machine is
 * uneven by, not the meter. That of samples is what so many of them err by on average.
 */
function judgeCpu(mode: Mode, child: Child, sink: OtlpSink): Measurements {
  const loads = child.reports.filter(({ event }) => event === 'runs') as unknown as Runs[];
  const judged = loads.map((load) => judgeLoad(mode, load, sink));
  return { figures: judged.flatMap(({ figures }) => figures), notes: judged.map(({ note }) => note) };
}

function judgeLoad(mode: Mode, load: Runs, sink: OtlpSink): { figures: Measured[]; note: string } {
  const { concurrency, names, costs, spun, threadMs, unitMs } = load;
  const queue = `c${concurrency}`;
  const byType = (of: (run: Spun) => number): number[] =>
    names.map((_, type) => sum(spun.filter((run) => run[0] === type).map(of)));
  const truth = ([type, , ms]: Spun): number => ms + costs[type]!;
  const byAmount = ([type, , , units]: Spun): number => unitMs * units + costs[type]!;
  const truths = byType(truth);
  const estimates = names.map((name) => 1000 * lastValue(sink, 'task.cpu.time', { queue, name }));
  const samples = sum(names.map((name) => lastValue(sink, 'task.cpu.samples', { queue, name })));
  const at = { case: `${mode}, concurrency ${concurrency}`, unit: 'ratio', n: spun.length };
  const hasGoal = mode === 'exact' || concurrency >= SAMPLED_FROM;
  const figures: Measured[] = [
    {
      ...at,
      metric: 'cpu_misattributed',
      value: misattributed(estimates, truths),
      goal: hasGoal ? { value: mode === 'exact' ? 0.03 : 0.05, better: 'lower' } : undefined,
      control: upTo(mode === 'sampled' ? byChance(truths, samples) : misattributed(byType(byAmount), truths)),
    },
  ];
  if (mode === 'exact') {
    const told = runEstimates(queue, sink);
    const runs = spun.filter((run) => truth(run) >= LEAST_RUN_MS && told.has(run[1]));
    const p95 = (estimate: (run: Spun) => number): number =>
      quantile(
        runs.map((run) => Math.abs(estimate(run) / truth(run) - 1)),
        0.95,
      );
    figures.push({
      ...at,
      metric: 'cpu_run_error_p95',
      value: p95((run) => told.get(run[1])!),
      n: runs.length,
      goal: { value: 0.1, better: 'lower' },
      control: upTo(p95(byAmount)),
    });
  }
  const each = names.map((name, type) => `${name} ${(estimates[type]! / truths[type]!).toFixed(2)}`);
  const all = (sum(estimates) / sum(truths)).toFixed(3);
  const known = (sum(truths) / threadMs).toFixed(3);
  const note = `Estimated over true CPU time, ${at.case}: ${each.join(', ')}; all ${all}, true over the thread's ${known}${mode === 'sampled' ? `, ${samples} samples` : ''}.`;
  return { figures, note };
}

/** What is at the wrong task's door on average, if so many samples are drawn of such shares: the mean deviation of each is √(2/π) of its standard one. */
function byChance(truths: readonly number[], samples: number): number {
  const all = sum(truths);
  const deviations = truths.map((truth) => Math.sqrt(((truth / all) * (1 - truth / all)) / samples));
  return (Math.sqrt(2 / Math.PI) * sum(deviations)) / 2;
}

/** CPU time of runs by their number, ms. */
function runEstimates(queue: string, sink: OtlpSink): Map<number, number> {
  const estimates = new Map<number, number>();
  for (const { attributes } of sink.spans) {
    const [of, id] = String(attributes['messaging.message.id']).split('-');
    if (of === queue) estimates.set(Number(id), 1000 * Number(attributes['task.cpu.time']));
  }
  return estimates;
}

function upTo(value: number): Measured['control'] {
  return { value, spread: [0, value] };
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
