import { startSink } from '../../test/helpers/otlp-sink.ts';
import type { BenchOptions } from '../lib/bench.ts';
import { startFixture } from '../lib/child.ts';
import type { Measured } from '../lib/figure.ts';
import { workerOptions } from './cpu.ts';

/** What exact metering adds to an await that another run follows: least of the rounds with it less least without. */
export async function measureHops(options: BenchOptions): Promise<Measured> {
  const sink = await startSink();
  const processes = options.quick ? 1 : 3;
  const least = { off: Number.POSITIVE_INFINITY, exact: Number.POSITIVE_INFINITY };
  try {
    for (let i = 0; i < processes; i++) {
      for (const mode of ['off', 'exact'] as const) {
        options.progress(`attribution: cost of a hop, ${mode}`);
        const { nodeArgs, env } = workerOptions(mode, options, sink.url);
        const rounds = { BENCH_ROUNDS: options.quick ? '8' : '20', OTEL_TRACES_EXPORTER: 'none' };
        const child = startFixture('hops.ts', { nodeArgs, env: { ...env, ...rounds } });
        await child.exited();
        const times = child.reports.filter(({ event }) => event === 'round').map(({ ns }) => Number(ns));
        least[mode] = Math.min(least[mode], ...times);
      }
    }
  } finally {
    await sink.down();
  }
  return {
    case: 'await null, concurrency 50',
    metric: 'hop_cost_ns',
    unit: 'ns',
    value: least.exact - least.off,
    n: processes,
    goal: { value: 110, better: 'lower' },
  };
}
