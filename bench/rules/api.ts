import { ApiServer } from '../../src/api/server.ts';
import type { Clock } from '../../src/model/clock.ts';
import type { Queryable } from '../../src/model/queryable.ts';
import { COUNTERS, GAUGES, HISTOGRAM } from './series.ts';

/** Serves a store on a free port of the loopback interface; gives its address. */
export function serveApi(queryable: Queryable, now: Clock): Promise<string> {
  return new Promise((fulfil, reject) => {
    const ignore = (): void => {};
    new ApiServer({
      host: '127.0.0.1',
      port: 0,
      hosts: [],
      token: '',
      queryable,
      now,
      rules: () => [],
      metrics: () => [],
      resource: {},
      onListening: ({ host, port }) => fulfil(`http://${host}:${port}`),
      onBusy: reject,
      onRequest: ignore,
      onDropped: ignore,
      onFault: reject,
    }).listen();
  });
}

/** What a dashboard asks beside the rules: every metric as it is, rates by queue, quantiles. */
export const QUERIES: readonly string[] = [
  ...GAUGES,
  ...COUNTERS.map((name) => `sum by (messaging_destination_name) (rate(${name}[5m]))`),
  ...[0.5, 0.95, 0.99].map(
    (q) =>
      `histogram_quantile(${q}, sum by (le, messaging_destination_name) (rate(${HISTOGRAM}_bucket[5m])))`,
  ),
];
export const ALL_SERIES = '{job="bench"}';

/** Time in ms that the answer to each query takes, asked one after the other, from the request to its last byte. */
export async function ask(url: string, queries: readonly string[], t: number): Promise<number[]> {
  const times: number[] = [];
  for (const query of queries) {
    const began = performance.now();
    const response = await fetch(`${url}/api/v1/query`, {
      method: 'POST',
      body: new URLSearchParams({ query, time: String(t / 1000) }),
    });
    const body = await response.text();
    times.push(performance.now() - began);
    if (!response.ok) throw new Error(`${query}: ${body}`);
  }
  return times;
}
