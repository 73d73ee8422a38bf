/** Serves the series of the rules bench in Prometheus's text format, from a process of its own. Environment: BENCH_TASKS. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exposition, syntheticSeries } from '../rules/series.ts';

const series = syntheticSeries(Number(process.env.BENCH_TASKS));
const server = createServer((_request, response) => {
  response.setHeader('Content-Type', 'text/plain; version=0.0.4');
  response.end(exposition(series, Date.now() / 1000));
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ event: 'listening', target: `127.0.0.1:${port}` })}\n`);
});
