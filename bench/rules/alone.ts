import type { BenchOptions } from '../lib/bench.ts';
import type { Report } from '../lib/child.ts';
import type { Goal, Measured } from '../lib/figure.ts';
import { median, quantile, spread } from '../lib/stats.ts';
import { RULES } from './mix.ts';
import { SERIES_PER_TASK } from './series.ts';
import { doWork, TASKS } from './work.ts';

/** Tasks whose series, with those of their queues and worker, are about 2,000. */
const OWN_TASKS = 14;
const atMost = (value: number): Goal => ({ value, better: 'lower' });

/** Ticks of 200 rules over 2,000 series, one after the other: the median over the rounds of each round's quantile. */
export async function measureTicks(rounds: number, options: BenchOptions): Promise<Measured[]> {
  const ticks = options.quick ? 60 : 400;
  const reports: Report[] = [];
  for (let round = 0; round < rounds; round++) {
    options.progress(`rules, ticks, process ${round + 1} of ${rounds}`);
    reports.push(await doWork({ work: 'ticks', ticks }, options));
  }
  const row = (metric: string, field: string, q: number, goal?: Goal): Measured => {
    const values = reports.map((report) => quantile(report[field] as number[], q));
    const value = median(values);
    return { case: 'tick', metric, unit: 'ms', value, n: rounds * ticks, spread: spread(values), goal };
  };
  return [
    row('tick_p50_ms', 'wall', 0.5, atMost(5)),
    row('tick_p99_ms', 'wall', 0.99, atMost(15)),
    row('tick_cpu_p50_ms', 'cpu', 0.5),
    row('insert_p50_ms', 'insert', 0.5),
  ];
}

/** Ticks of the shipped rules over about 2,000 series of the agent's own metrics. */
export async function measureShipped(
  options: BenchOptions,
): Promise<{ figures: Measured[]; notes: string[] }> {
  const ticks = options.quick ? 60 : 400;
  options.progress('rules, the shipped ones');
  const report = await doWork({ work: 'shipped', tasks: OWN_TASKS, ticks }, options);
  const row = (metric: string, field: string, q: number, goal?: Goal): Measured => {
    return {
      case: 'shipped',
      metric,
      unit: 'ms',
      value: quantile(report[field] as number[], q),
      n: ticks,
      goal,
    };
  };
  return {
    figures: [
      row('shipped_tick_p50_ms', 'wall', 0.5, atMost(5)),
      row('shipped_tick_p99_ms', 'wall', 0.99, atMost(15)),
      row('shipped_tick_cpu_p50_ms', 'cpu', 0.5),
    ],
    notes: [
      `shipped: every rule that comes with the package over ${report.series} series of ${OWN_TASKS} tasks.`,
    ],
  };
}

/** Each rule alone over metrics of 2,000 series each, its histograms of 12,000: the slowest by its median. */
export async function measureEach(options: BenchOptions): Promise<{ figures: Measured[]; notes: string[] }> {
  const ticks = options.quick ? 3 : 21;
  options.progress('rules, each alone');
  const { times } = await doWork({ work: 'each', tasks: TASKS * SERIES_PER_TASK, ticks }, options);
  const rules = Object.entries(times as Record<string, number[]>)
    .map(([rule, own]) => ({ rule, value: median(own) }))
    .sort((a, b) => b.value - a.value);
  const slowest = rules[0]!;
  const one = { case: 'each', unit: 'ms', n: ticks };
  return {
    figures: [
      { ...one, metric: 'slowest_rule_ms', value: slowest.value, goal: atMost(25) },
      { ...one, metric: 'median_rule_ms', value: median(rules.map(({ value }) => value)) },
    ],
    notes: [
      `each: 2,000 series of every metric, 12,000 of a histogram's buckets; the slowest is ${slowest.rule}.`,
    ],
  };
}

/** Memory of a store with 2,000 series of a quarter of an hour. */
export async function measureMemory(options: BenchOptions): Promise<Measured[]> {
  options.progress('rules, memory');
  const report = await doWork({ work: 'memory', ticks: 0 }, options);
  const samples = Number(report.samples);
  const one = { case: 'memory', n: samples };
  return [
    {
      ...one,
      metric: 'bytes_per_sample',
      unit: 'B',
      value: Number(report.columns) / samples,
      goal: atMost(12),
    },
    { ...one, metric: 'bytes_per_sample_in_all', unit: 'B', value: Number(report.all) / samples },
    { ...one, metric: 'store_mb', unit: 'MB', value: Number(report.all) / 1e6, goal: atMost(5) },
  ];
}

/** Factors by which series and rules grow; the cost of a tick is to grow no faster than they do. */
const FACTORS = [1, 3, 10];

/**
 * How CPU time of a tick grows with series and with rules: the exponent e of cost ~ size^e, by least squares over the logarithms;
 * 1 is linear.
 */
export async function measureGrowth(options: BenchOptions): Promise<Measured[]> {
  const ticks = options.quick ? 20 : 100;
  const factors = options.quick ? FACTORS.slice(0, 2) : FACTORS;
  const cost = async (what: string, size: { tasks?: number; copies?: number }): Promise<number> => {
    options.progress(`rules, growth: ${what}`);
    const { cpu } = await doWork({ work: 'ticks', ticks, ...size }, options);
    return median(cpu as number[]);
  };
  const figures: Measured[] = [];
  const add = (of: string, costs: readonly number[]): void => {
    const one = { case: 'growth', n: ticks };
    for (const [at, factor] of factors.entries()) {
      const metric = `tick_cpu_ms_at_${factor * (of === 'series' ? 2000 : RULES)}_${of}`;
      figures.push({ ...one, metric, unit: 'ms', value: costs[at]! });
    }
    const value = exponent(factors, costs);
    figures.push({ ...one, metric: `${of}_exponent`, unit: 'ratio', value, goal: atMost(1.1) });
  };
  const [bySeries, byRules]: [number[], number[]] = [[], []];
  for (const factor of factors) {
    bySeries.push(await cost(`${factor * 2000} series`, { tasks: factor * TASKS }));
    byRules.push(await cost(`${factor * RULES} rules`, { copies: factor }));
  }
  add('series', bySeries);
  add('rules', byRules);
  return figures;
}

/** The slope of log(cost) over log(size) by least squares. */
export function exponent(sizes: readonly number[], costs: readonly number[]): number {
  const x = sizes.map(Math.log);
  const y = costs.map(Math.log);
  const mean = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0) / values.length;
  const [meanX, meanY] = [mean(x), mean(y)];
  const sum = (each: (at: number) => number) => x.reduce((total, _, at) => total + each(at), 0);
  return sum((at) => (x[at]! - meanX) * (y[at]! - meanY)) / sum((at) => (x[at]! - meanX) ** 2);
}

/** Instant queries over HTTP against a thread that has 2,000 series: those of a dashboard and those of the rules. */
export async function measureApi(options: BenchOptions): Promise<Measured[]> {
  options.progress('rules, HTTP API');
  const { mixed, all } = await doWork({ work: 'api', ticks: options.quick ? 3 : 11 }, options);
  const row = (metric: string, values: readonly number[], q: number, goal?: Goal): Measured => {
    return { case: 'api', metric, unit: 'ms', value: quantile(values, q), n: values.length, goal };
  };
  return [
    row('api_query_p95_ms', mixed as number[], 0.95, atMost(20)),
    row('api_query_p50_ms', mixed as number[], 0.5),
    row('api_query_all_series_p50_ms', all as number[], 0.5),
  ];
}
