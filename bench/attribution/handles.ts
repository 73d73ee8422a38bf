import type { BenchOptions } from '../lib/bench.ts';
import { startFixture } from '../lib/child.ts';
import type { Measurements } from './cpu.ts';

/**
 * Sockets, timers and job objects that runs leave behind, among as many runs that leave nothing: which share is found, and how much is
 * found that is not there. The meters are those of the sources.
 */
export async function measureHandles(options: BenchOptions): Promise<Measurements> {
  const runs = options.quick ? 100 : 1000;
  options.progress(`attribution: handles and job objects, ${runs} runs that leave each kind`);
  const child = startFixture('handles.ts', {
    nodeArgs: ['--expose-gc'],
    env: { BENCH_RUNS: String(runs) },
  });
  await child.exited();
  const figures = child.reports
    .filter(({ event }) => event === 'found')
    .flatMap(({ kind, found, there, wrong }) => {
      const metric = kind === 'job' ? 'retained_found' : 'handles_found';
      const n = Number(there);
      return [
        {
          case: String(kind),
          metric,
          unit: 'ratio',
          value: Number(found) / n,
          n,
          goal: { value: kind === 'job' ? 0.99 : 1, better: 'higher' as const },
        },
        {
          case: `${kind}: none`,
          metric: metric.replace('found', 'wrong'),
          unit: 'count',
          value: Number(wrong),
          n: runs,
          goal: { value: 0, better: 'lower' as const },
        },
      ];
    });
  return {
    figures,
    notes: ['Handles: 10 runs at a time; of job objects at most 100 of a task are in the sample.'],
  };
}
