// An OTLP/HTTP receiver that answers 200 at once and looks at what came only when asked: GET /summary, GET /reset.
// Bodies of /v1/logs are reported as they come.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { countSpans } from '../lib/otlp-count.ts';
import { now, report } from './report.js';

interface Received {
  readonly path: string;
  readonly body: Buffer;
  readonly gzip: boolean;
}

let received: Received[] = [];
let lastAt: number | null = null;

const plain = ({ body, gzip }: Received) => (gzip ? gunzipSync(body) : body);

function summary(): string {
  const traces = received.filter(({ path }) => path === '/v1/traces');
  return JSON.stringify({
    requests: received.length,
    bytes: received.reduce((sum, { body }) => sum + body.length, 0),
    spans: traces.reduce((sum, request) => sum + countSpans(plain(request)), 0),
    lastAt,
  });
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const path = request.url ?? '';
    if (request.method === 'GET') {
      if (path === '/reset') {
        received = [];
        lastAt = null;
      }
      response.end(summary());
      return;
    }
    const gzip = request.headers['content-encoding'] === 'gzip';
    const one = { path, body: Buffer.concat(chunks), gzip };
    received.push(one);
    lastAt = now();
    const type = request.headers['content-type'] ?? 'application/x-protobuf';
    response.setHeader('content-type', type);
    response.end(type.includes('json') ? '{}' : ''); // an empty response message in either encoding
    if (path === '/v1/logs') report('logs', { at: lastAt, body: plain(one).toString('latin1') });
  });
});
server.listen(0, '127.0.0.1', () => {
  report('listening', { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
