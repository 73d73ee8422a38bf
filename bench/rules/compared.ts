import { setTimeout as delay } from 'node:timers/promises';
import type { BenchOptions } from '../lib/bench.ts';
import { startFixture } from '../lib/child.ts';
import type { Measured } from '../lib/figure.ts';
import { median, quantile } from '../lib/stats.ts';
import { makeHistory, processCpuMs, promtoolOf, startPrometheus } from './prometheus.ts';
import { STEP_MS } from './series.ts';
import { startWork, TASKS } from './work.ts';

export interface Installed {
  readonly path: string;
  readonly version: string;
}

/**
 * CPU of a Prometheus for the 200 rules, against ours for the same rules over the same series in the same minutes. Prometheus
 * runs twice side by side upon the same history and the same scrapes, with the rules and without: the difference is what the
 * rules cost it, their results' way into its database included, and scraping is not counted. Ours is all that the process
 * takes for a tick: insertion of the samples, rules, their results and garbage collection.
 */
export async function measureAgainst(
  prometheus: Installed,
  options: BenchOptions,
): Promise<{ figures: Measured[]; notes: string[] }> {
  const ticks = options.quick ? 3 : 24;
  const name = `prometheus ${prometheus.version}`;
  options.progress(`rules, ${name}: history`);
  const history = makeHistory(promtoolOf(prometheus.path), TASKS, Math.floor(Date.now() / STEP_MS) * STEP_MS);
  const exporter = startFixture('exposition.ts', { env: { BENCH_TASKS: String(TASKS) }, limitMs: 900_000 });
  const ours = startWork({ work: 'paced', ticks: 0 }, options);
  const stops: (() => Promise<void>)[] = [() => exporter.kill(), () => ours.kill()];
  try {
    const target = String((await exporter.report('listening')).target);
    const start = async (withRules: boolean) => {
      const started = await startPrometheus(prometheus.path, target, history.path, withRules);
      stops.push(() => started.stop());
      return started;
    };
    const [bare, ruled] = await Promise.all([start(false), start(true)]);
    await ours.report('tick');
    // What a start leaves behind is not to be measured: caches to fill, code to compile, the first write of the log.
    await delay(options.quick ? STEP_MS : 4 * STEP_MS);
    options.progress(`rules, ${name}: ${ticks} ticks`);
    const cpu = () => [processCpuMs(bare.pid), processCpuMs(ruled.pid)] as const;
    const [bareBefore, ruledBefore] = cpu();
    const reportsBefore = ours.reports.length;
    await delay(ticks * STEP_MS);
    const [bareAfter, ruledAfter] = cpu();
    const own = ours.reports.slice(reportsBefore);
    const scraping = (bareAfter - bareBefore) / ticks;
    const rules = (ruledAfter - ruledBefore) / ticks - scraping;
    const perTick = own.reduce((sum, report) => sum + Number(report.cpu), 0) / own.length;
    const walls = own.map((report) => Number(report.wall));
    const row = (metric: string, unit: string, value: number): Measured => {
      return { case: name, metric, unit, value, n: ticks };
    };
    return {
      figures: [
        { ...row('prometheus_cpu_ratio', 'ratio', rules / perTick), goal: { value: 20, better: 'higher' } },
        row('prometheus_rules_cpu_per_tick_ms', 'ms', rules),
        row('prometheus_scrape_cpu_per_tick_ms', 'ms', scraping),
        row('own_cpu_per_tick_ms', 'ms', perTick),
        row('own_tick_p50_ms_at_5s', 'ms', median(walls)),
        row('own_tick_p95_ms_at_5s', 'ms', quantile(walls, 0.95)),
      ],
      notes: [
        `${name}: ${ticks} ticks of 5 s upon a history of 15 min, ${await ruled.firing()} alerts firing there and ` +
          `${own.at(-1)?.firing} here. Its CPU is that of the process with the rules less that of one beside it without; ours ` +
          'is that of the process for inserting, rules and collections.',
      ],
    };
  } finally {
    await Promise.all(stops.map((stop) => stop()));
    history.remove();
  }
}
