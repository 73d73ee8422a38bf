import type { BenchOptions } from '../lib/bench.ts';
import { startFixture } from '../lib/child.ts';
import type { Measured } from '../lib/figure.ts';
import { quantile, spread } from '../lib/stats.ts';

/** How long it takes to get the stack of a main thread that is busy in JavaScript, from the opening of the inspector's session on. */
export async function measureStacks(options: BenchOptions): Promise<Measured[]> {
  const looks = options.quick ? 30 : 500;
  options.progress(`detection, ${looks} stacks`);
  const child = startFixture('stack.ts', { env: { BENCH_LOOKS: String(looks), NODE_NO_WARNINGS: '1' } });
  try {
    const { tookMs, missing } = (await child.report('looks')) as unknown as {
      tookMs: number[];
      missing: number;
    };
    const one = { case: 'stack in JavaScript', unit: 'ms', n: tookMs.length };
    const late = [...tookMs, ...Array<number>(missing).fill(Number.POSITIVE_INFINITY)];
    return [
      { ...one, metric: 'stack_capture_p50_ms', value: quantile(tookMs, 0.5), spread: spread(tookMs) },
      {
        ...one,
        metric: 'stack_capture_p95_ms',
        value: quantile(late, 0.95),
        goal: { value: 20, better: 'lower' },
      },
    ];
  } finally {
    await child.kill();
  }
}
