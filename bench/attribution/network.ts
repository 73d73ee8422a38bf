import { startCountingServers } from '../../test/helpers/counting-servers.ts';
import type { BenchOptions } from '../lib/bench.ts';
import { startFixture } from '../lib/child.ts';
import type { Measured } from '../lib/figure.ts';
import { differences, median, spread } from '../lib/stats.ts';
import type { Measurements } from './cpu.ts';

const SERVERS = {
  fetch: 'http',
  http: 'http',
  https: 'https',
  http2: 'h2c',
  net: 'tcp',
  tls: 'tls',
} as const;
type Way = keyof typeof SERVERS;
const WAYS = Object.keys(SERVERS) as Way[];

/**
 * Requests and bytes of runs, against what a server in another process counts on its sockets; and what the meter adds to a request, from
 * rounds with and without it by turns in one process. The meter is that of the sources.
 */
export async function measureNetwork(options: BenchOptions): Promise<Measurements> {
  const servers = startCountingServers();
  try {
    const ports: Partial<Record<Way, number>> = {};
    for (const way of WAYS) ports[way] = await servers.open(SERVERS[way]);
    const requests = options.quick ? 200 : 1500;
    const rounds = options.quick ? 2 : (options.rounds ?? 20);
    options.progress(
      `attribution: network, ${requests} requests in each way, ${rounds} rounds with and without`,
    );
    const child = startFixture('network.ts', {
      env: {
        BENCH_PORTS: JSON.stringify(ports),
        BENCH_REQUESTS: String(requests),
        BENCH_ROUNDS: String(rounds),
      },
    });
    const figures: Measured[] = [];
    for (const way of WAYS) {
      let used = child.reports.find((report) => report.event === 'used' && report.way === way);
      while (used === undefined) {
        await new Promise((later) => setTimeout(later, 20));
        if (child.process.exitCode !== null) await child.exited();
        used = child.reports.find((report) => report.event === 'used' && report.way === way);
      }
      const counts = await servers.counts(ports[way]!);
      const [bytesIn, bytesOut] = [Number(used.bytesIn), Number(used.bytesOut)];
      const off = Math.abs(bytesIn - counts.sent) + Math.abs(bytesOut - counts.received);
      figures.push({
        case: way,
        metric: 'net_bytes_error',
        unit: 'ratio',
        value: off / (counts.sent + counts.received),
        n: requests,
        goal: { value: 0.001, better: 'lower' },
      });
      if (way === 'net' || way === 'tls') continue;
      figures.push({
        case: way,
        metric: 'net_requests_missed',
        unit: 'count',
        value: Math.abs(Number(used.requests) - counts.requests),
        n: requests,
        goal: { value: 0, better: 'lower' },
      });
    }
    await child.exited();
    for (const way of ['fetch', 'http'] as const) {
      const of = (on: boolean): number[] =>
        child.reports
          .filter((report) => report.event === 'round' && report.way === way && report.on === on)
          .map(({ us }) => Number(us));
      const added = differences(of(true), of(false));
      figures.push({
        case: way,
        metric: 'net_request_cost_us',
        unit: 'us',
        value: median(added),
        n: added.length,
        spread: spread(added),
        goal: { value: 15, better: 'lower' },
      });
    }
    return { figures, notes: ['Network: 50 runs at a time, bodies up to 20 KB out and 50 KB in.'] };
  } finally {
    await servers.stop();
  }
}
