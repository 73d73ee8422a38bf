import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { resolve } from 'node:path';
import { suite, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { alertLogRecord } from '../../../src/alerts/log-record.ts';
import { RUN, transition } from '../../alerts/transitions.ts';
import { type Collector, startCollector } from '../../helpers/collector.ts';
import { exporterTo, PROTOCOLS } from '../../helpers/exporter-to.ts';
import { collectorBinary, goMissing } from '../../helpers/go-programs.ts';
import { spanData } from '../../otlp/fixtures.ts';

const FILE = resolve(import.meta.dirname, '../../../otel-collector.yaml');
const SERVICE = { 'service.name': 'shop', 'service.instance.id': 'worker-1' };
const ALL_DEBUG = {
  METRICS_EXPORTERS: '[debug]',
  LOGS_EXPORTERS: '[debug]',
  TRACES_EXPORTERS: '[debug]',
};
const ALERT = alertLogRecord(transition({ runs: [RUN] }));

suite('otel-collector.yaml', { skip: goMissing() }, () => {
  for (const [what, env] of [
    ['as it is', {}],
    ['with every exporter replaced', ALL_DEBUG],
    [
      'with every endpoint set',
      {
        OTLP_GRPC_LISTEN: '0.0.0.0:14317',
        OTLP_HTTP_LISTEN: '0.0.0.0:14318',
        PROMETHEUS_OTLP_ENDPOINT: 'https://mimir.example/otlp',
        LOKI_OTLP_ENDPOINT: 'https://loki.example/otlp',
        TEMPO_OTLP_ENDPOINT: 'tempo.example:443',
        TEMPO_OTLP_INSECURE: 'false',
        DEBUG_VERBOSITY: 'detailed',
      },
    ],
  ] as const) {
    test(`the collector accepts it ${what}, without a warning`, async () => {
      const { status, stdout, stderr } = validate(await collectorBinary(), env);
      assert.deepEqual({ status, output: stdout + stderr }, { status: 0, output: '' });
    });
  }

  test('an exporter that does not exist is refused', async () => {
    const { status, stderr } = validate(await collectorBinary(), { TRACES_EXPORTERS: '[zipkin]' });
    assert.equal(status, 1);
    assert.match(stderr, /references exporter "zipkin" which is not configured/);
  });

  test('it starts without a deprecation warning', async () => {
    const collector = await startCollector(await collectorBinary());
    await collector.stop();
    assert.doesNotMatch(collector.output(), /\t(warn|error)\t|deprecated/i);
  });

  test('an alert reaches the terminal and Loki', async () => {
    const received: { path: string; body: Buffer }[] = [];
    const loki = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const raw = Buffer.concat(chunks);
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
      received.push({ path: request.url ?? '', body });
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    }).listen(0, '127.0.0.1');
    await once(loki, 'listening');
    const { port } = loki.address() as { port: number };
    const collector = await startCollector(await collectorBinary(), {
      LOKI_OTLP_ENDPOINT: `http://127.0.0.1:${port}/otlp`,
    });
    try {
      await send(collector);
      await collector.until('Loki has it', () => received.length > 0);
      await collector.until('it is printed', () =>
        /render blocks.*task\.name=render/.test(collector.output()),
      );
      assert.equal(received[0]!.path, '/otlp/v1/logs');
      for (const text of ['taskwarden.alert', 'render blocks', 'task.name', 'worker-1'])
        assert.ok(received[0]!.body.includes(text), `the request to Loki lacks "${text}"`);
    } finally {
      await collector.stop();
      loki.close();
    }
  });

  for (const protocol of PROTOCOLS) {
    test(`${protocol}: alert and span are understood, and go on by gRPC to a collector without a backend`, async () => {
      const binary = await collectorBinary();
      const last = await startCollector(binary, { ...ALL_DEBUG, DEBUG_VERBOSITY: 'detailed' });
      const first = await startCollector(binary, {
        TEMPO_OTLP_ENDPOINT: last.grpc,
        LOGS_EXPORTERS: '[debug]',
        DEBUG_VERBOSITY: 'detailed',
      });
      try {
        const out = exporterTo(first, protocol, SERVICE);
        const link = { traceId: RUN.traceId, spanId: RUN.spanId, traceFlags: 1 };
        out.span(spanData(1, { name: 'process mail', links: [link], status: { code: 2, message: 'no' } }));
        out.logs([ALERT]);
        await out.flush(10_000);
        await out.shutdown();
        await first.until('the alert is printed', () => first.output().includes('EventName'));
        await last.until('the span is printed', () => last.output().includes('process mail'));
        for (const expected of [
          /EventName: taskwarden\.alert/,
          /SeverityNumber: Error\(17\)/,
          /Body: Str\(render blocks\)/,
          /taskwarden\.alert\.runs\.messaging\.message\.id: Slice\(\["17"\]\)/,
          /Trace ID: 5b8efff798038103d269b633813fc60c/,
        ])
          assert.match(first.output(), expected);
        for (const expected of [
          /service\.instance\.id: Str\(worker-1\)/,
          /Name +: process mail/,
          /Kind +: Consumer/,
          /Status code +: Error/,
          /-> Trace ID: 5b8efff798038103d269b633813fc60c/,
        ])
          assert.match(last.output(), expected);
      } finally {
        await first.stop();
        await last.stop();
      }
    });
  }

  test('a backend that is down loses nothing that comes back within the retries', async () => {
    const binary = await collectorBinary();
    const loki = createServer((request, response) => {
      request.resume();
      tries++;
      response.writeHead(tries === 1 ? 503 : 200).end();
    }).listen(0, '127.0.0.1');
    let tries = 0;
    await once(loki, 'listening');
    const { port } = loki.address() as { port: number };
    const collector = await startCollector(binary, { LOKI_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
    try {
      await send(collector);
      await collector.until('the second try', () => tries === 2);
    } finally {
      await collector.stop();
      loki.close();
    }
  });
});

async function send(collector: Collector): Promise<void> {
  const out = exporterTo(collector, 'http/protobuf', SERVICE);
  out.logs([ALERT]);
  await out.flush(10_000);
  await out.shutdown();
}

function validate(binary: string, env: Readonly<Record<string, string>>) {
  return spawnSync(binary, ['validate', `--config=${FILE}`], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
}
