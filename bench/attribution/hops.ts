import { startSink } from '../../test/helpers/otlp-sink.ts';
import type { BenchOptions } from '../lib/bench.ts';
import { startFixture } from '../lib/child.ts';
import type { Measured } from '../lib/figure.ts';
import { workerOptions } from './cpu.ts';

/** `bare` is without the preload: what runs cost without any meter is `off` against it. */
const MODES = ['bare', 'off', 'off again', 'exact'] as const;
/** CPU time of a run, µs: the least of all rounds, which what others do makes dearer, never cheaper. */
type Least = Record<(typeof MODES)[number], number>;

/** Awaits of a run that does nothing else, and of one that works for a millisecond. */
const [HOPS, HOPS_OF_WORK] = [100, 50];

/** What exact metering adds to an await that another run follows, and to a run of a millisecond. */
export async function measureHops(options: BenchOptions): Promise<Measured[]> {
  const sink = await startSink();
  const n = options.quick ? 1 : (options.rounds ?? 3);
  const nothing = 'await null, concurrency 50';
  const works = `1 ms in ${HOPS_OF_WORK} awaits, concurrency 50`;
  try {
    const hops = await measure(nothing, { BENCH_HOPS: String(HOPS) }, n, options, sink.url);
    const runs = await measure(
      works,
      { BENCH_HOPS: String(HOPS_OF_WORK), BENCH_WORK: '1' },
      n,
      options,
      sink.url,
    );
    const nsOf = (us: number): number => ((us - hops.off) * 1000) / HOPS;
    const shareOf = (us: number): number => us / runs.off - 1;
    const again = runs['off again'] / runs.off - 1;
    return [
      figureOf(nothing, 'hop_cost_ns', 'ns', 110, n, hops, nsOf),
      figureOf(works, 'run_cost_share', 'ratio', 0.02, n, runs, shareOf),
      {
        case: `metering switched off: ${works}`,
        metric: 'run_cost_share',
        unit: 'ratio',
        value: runs.off / runs.bare - 1,
        n,
        goal: { value: 0.02, better: 'lower' },
        control: { value: again, spread: [-Math.abs(again), Math.abs(again)] },
      },
    ];
  } finally {
    await sink.down();
  }
}

async function measure(
  what: string,
  load: Readonly<Record<string, string>>,
  processes: number,
  options: BenchOptions,
  endpoint: string,
): Promise<Least> {
  const least: Least = {
    bare: Number.POSITIVE_INFINITY,
    off: Number.POSITIVE_INFINITY,
    'off again': Number.POSITIVE_INFINITY,
    exact: Number.POSITIVE_INFINITY,
  };
  for (let i = 0; i < processes; i++) {
    for (const mode of MODES) {
      options.progress(`attribution: ${what}, ${mode}`);
      const { nodeArgs, env } = workerOptions(mode === 'exact' ? mode : 'off', options, endpoint);
      const args = mode === 'bare' ? [] : nodeArgs;
      const rounds = { BENCH_ROUNDS: options.quick ? '8' : '20', OTEL_TRACES_EXPORTER: 'none' };
      const child = startFixture('hops.ts', { nodeArgs: args, env: { ...env, ...load, ...rounds } });
      await child.exited();
      const times = child.reports.filter(({ event }) => event === 'round').map(({ us }) => Number(us));
      least[mode] = Math.min(least[mode], ...times);
    }
  }
  return least;
}

function figureOf(
  what: string,
  metric: string,
  unit: string,
  goal: number,
  n: number,
  least: Least,
  added: (us: number) => number,
): Measured {
  const again = Math.abs(added(least['off again']));
  return {
    case: what,
    metric,
    unit,
    value: added(least.exact),
    n,
    goal: { value: goal, better: 'lower' },
    control: { value: added(least['off again']), spread: [-again, again] },
  };
}
