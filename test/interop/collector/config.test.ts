import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { resolve } from 'node:path';
import { suite, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { startCollector } from '../../helpers/collector.ts';
import { collectorBinary, goMissing } from '../../helpers/go-programs.ts';
import { eventRequest, postOtlp, spanRequest } from '../../helpers/otlp-json.ts';

const FILE = resolve(import.meta.dirname, '../../../otel-collector.yaml');
const RESOURCE = { 'service.name': 'shop', 'service.instance.id': 'worker-1' };
const ALL_DEBUG = {
  METRICS_EXPORTERS: '[debug]',
  LOGS_EXPORTERS: '[debug]',
  TRACES_EXPORTERS: '[debug]',
};
const event = eventRequest(RESOURCE, 'taskwarden.alert', 'render blocks the event loop', {
  'task.name': 'render',
});

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
      await postOtlp(`${collector.http}/v1/logs`, event);
      await collector.until('Loki has it', () => received.length > 0);
      await collector.until('it is printed', () =>
        /blocks the event loop.*task\.name=render/.test(collector.output()),
      );
      assert.equal(received[0]!.path, '/otlp/v1/logs');
      for (const text of ['taskwarden.alert', 'render blocks the event loop', 'task.name', 'worker-1'])
        assert.ok(received[0]!.body.includes(text), `the request to Loki lacks "${text}"`);
    } finally {
      await collector.stop();
      loki.close();
    }
  });

  test('a span goes out by gRPC, and in by gRPC at a second collector that has no backend', async () => {
    const binary = await collectorBinary();
    const tempo = await startCollector(binary, ALL_DEBUG);
    const collector = await startCollector(binary, { TEMPO_OTLP_ENDPOINT: tempo.grpc });
    try {
      await postOtlp(`${collector.http}/v1/traces`, spanRequest(RESOURCE, 'process mail'));
      await tempo.until('the span is printed', () => tempo.output().includes('process mail'));
    } finally {
      await collector.stop();
      await tempo.stop();
    }
  });

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
      await postOtlp(`${collector.http}/v1/logs`, event);
      await collector.until('the second try', () => tries === 2);
    } finally {
      await collector.stop();
      loki.close();
    }
  });
});

function validate(binary: string, env: Readonly<Record<string, string>>) {
  return spawnSync(binary, ['validate', `--config=${FILE}`], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
}
