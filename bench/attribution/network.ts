import { startCountingServers } from '../../test/helpers/counting-servers.ts';
import type { BenchOptions } from '../lib/bench.ts';
import { startFixture } from '../lib/child.ts';
import type { Measured } from '../lib/figure.ts';
import { differences, spread } from '../lib/stats.ts';
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

const METERS = ['off', 'off again', 'on'] as const;
type Meter = (typeof METERS)[number];
/** Of a process, of which each has one of METERS. */
const COST = { requests: 1000, rounds: 10, processes: 12, quickProcesses: 1 };

/**
 * Requests and bytes of runs, against what a server in another process counts on its sockets; and what the meter adds to a request, from
 * processes with and without it by turns. The meter is that of the sources.
 */
export async function measureNetwork(options: BenchOptions): Promise<Measurements> {
  const servers = startCountingServers();
  try {
    const ports: Partial<Record<Way, number>> = {};
    for (const way of WAYS) ports[way] = await servers.open(SERVERS[way]);
    const requests = options.quick ? 200 : 1500;
    options.progress(`attribution: network, ${requests} requests in each way`);
    const child = startFixture('network.ts', {
      env: {
        BENCH_PORTS: JSON.stringify(ports),
        BENCH_REQUESTS: String(requests),
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
    for (const way of ['fetch', 'http'] as const) figures.push(await measureCost(way, ports[way]!, options));
    return { figures, notes: ['Network: 50 runs at a time, bodies up to 20 KB out and 50 KB in.'] };
  } finally {
    await servers.stop();
  }
}

async function measureCost(way: Way, port: number, options: BenchOptions): Promise<Measured> {
  const processes = options.quick ? COST.quickProcesses : (options.rounds ?? COST.processes);
  options.progress(
    `attribution: cost of a request by ${way}, ${processes} processes with and without the meter`,
  );
  const costs: Record<Meter, number[]> = { off: [], 'off again': [], on: [] };
  for (let i = 0; i < processes; i++) {
    for (const meter of METERS) {
      const child = startFixture('network-cost.ts', {
        env: {
          BENCH_WAY: way,
          BENCH_METER: meter === 'on' ? 'on' : 'off',
          BENCH_PORT: String(port),
          BENCH_REQUESTS: String(options.quick ? 200 : COST.requests),
          BENCH_ROUNDS: String(COST.rounds),
        },
      });
      await child.exited();
      // What others do meanwhile makes rounds dearer, never cheaper.
      costs[meter].push(Math.min(...child.reports.map(({ us }) => Number(us))));
    }
  }
  const added = Math.min(...costs.on) - Math.min(...costs.off);
  const nothing = differences(costs['off again'], costs.off);
  return {
    case: way,
    metric: 'net_request_cost_us',
    unit: 'us',
    value: added,
    n: processes,
    spread: spread(differences(costs.on, costs.off)),
    goal: { value: 15, better: 'lower' },
    control: { value: Math.min(...costs['off again']) - Math.min(...costs.off), spread: spread(nothing) },
  };
}
