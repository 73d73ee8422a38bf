import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { pbkdf2 } from 'node:crypto';
import { after, afterEach, before, test } from 'node:test';
import { promisify } from 'node:util';
import { HostLookup } from '../../src/otlp/lookup.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';
import { EMPTY_SNAPSHOT, logData, spanData, testExporter } from './fixtures.ts';

let sink: OtlpSink;
before(async () => {
  sink = await startSink();
});
after(() => sink.down());
afterEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) delete process.env[name];
  sink.clear();
});

test('headers and endpoints: the variable of a signal wins over the general one', async () => {
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = `${sink.url}/base`;
  process.env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT = `${sink.url}/own/v1/traces`;
  process.env.OTEL_EXPORTER_OTLP_HEADERS = 'api-key=general,tenant=a%20b';
  process.env.OTEL_EXPORTER_OTLP_LOGS_HEADERS = 'api-key=logs';
  process.env.OTEL_EXPORTER_OTLP_METRICS_COMPRESSION = 'gzip';
  const exporter = testExporter();
  exporter.span(spanData(1));
  exporter.logs([logData(1)]);
  exporter.metrics(EMPTY_SNAPSHOT);
  await exporter.flush(5000);
  await exporter.shutdown();
  const of = (signal: string) => sink.requests.find((request) => request.signal === signal)!;
  assert.equal(of('traces').path, '/own/v1/traces');
  assert.equal(of('logs').path, '/base/v1/logs');
  assert.deepEqual([of('traces').headers['api-key'], of('logs').headers['api-key']], ['general', 'logs']);
  assert.equal(of('logs').headers.tenant, 'a b');
  assert.deepEqual(
    [of('metrics').headers['content-encoding'], of('traces').headers['content-encoding']],
    ['gzip', undefined],
  );
  assert.match(of('traces').headers['user-agent']!, /^taskwarden\//);
});

test('gRPC: headers become metadata, and a scheme decides on TLS', async () => {
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = `http://localhost:${sink.grpcPort}`;
  process.env.OTEL_EXPORTER_OTLP_HEADERS = 'api-key=secret';
  const exporter = testExporter({ protocols: { traces: 'grpc', metrics: 'grpc', logs: 'grpc' } });
  exporter.logs([logData(1)]);
  await exporter.flush(5000);
  await exporter.shutdown();
  assert.equal(sink.requests[0]?.headers['api-key'], 'secret');
});

test('the exporter console writes one line of JSON an item, none writes nothing', async () => {
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = sink.url;
  const lines: string[] = [];
  const print = (line: string) => void lines.push(line);
  const exporter = testExporter({
    exporters: { traces: ['console', 'otlp'], metrics: ['console'], logs: [] },
    print,
  });
  exporter.span(spanData(1));
  exporter.logs([logData(1)]);
  exporter.metrics({
    ...EMPTY_SNAPSHOT,
    vanished: [
      {
        ...{ name: 'a', description: '', unit: '', kind: 'gauge', monotonic: false, startTimeMs: 0 },
        points: [{ x: '1' }],
      },
    ],
  });
  await exporter.flush(5000);
  await exporter.shutdown();
  const items = lines.map((line) => JSON.parse(line));
  assert.deepEqual(
    items.map(({ signal, name }) => [signal, name]),
    [
      ['traces', 'span 1'],
      ['metrics', 'a'],
    ],
  );
  assert.deepEqual(
    sink.requests.map(({ signal }) => signal),
    ['traces'],
  );
});

test('an exporter whose output is full or broken loses the item, and says so', () => {
  for (const [code, reason] of [
    ['EAGAIN', 'queue_full'],
    ['EPIPE', 'rejected'],
  ] as const) {
    const print = () => {
      throw Object.assign(new Error(code), { code });
    };
    const exporter = testExporter({ exporters: { traces: ['console'], metrics: [], logs: [] }, print });
    exporter.span(spanData(1));
    assert.deepEqual([exporter.dropped, exporter.failures.length], [{ [`traces/${reason}`]: 1 }, 1]);
  }
});

test('warming up opens the connection of the alerts and sends no record', async () => {
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = sink.url;
  const exporter = testExporter();
  await exporter.warm();
  assert.deepEqual(
    sink.requests.map(({ signal, items, status }) => [signal, items, status]),
    [['logs', 0, 200]],
  );
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = 'http://127.0.0.1:1';
  const cut = testExporter();
  await cut.warm();
  await Promise.all([exporter.shutdown(), cut.shutdown()]);
  assert.deepEqual([cut.dropped, cut.failures], [{}, []]);
});

test('localhost is reached while the application keeps the whole thread pool busy', async () => {
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = `http://localhost:${sink.port}`;
  process.env.OTEL_EXPORTER_OTLP_COMPRESSION = 'gzip';
  let busy = 8;
  const hash = promisify(pbkdf2);
  const work = Array.from({ length: busy }, () => hash('a', 'b', 200_000, 64, 'sha512').then(() => busy--));
  const exporter = testExporter();
  exporter.logs([logData(1)]);
  await exporter.flush(20_000);
  assert.equal(sink.logs.length, 1);
  assert.ok(busy > 3, 'the export waited for the thread pool');
  await Promise.all([...work, exporter.shutdown()]);
});

test('a host is looked up once, then answered from memory', async () => {
  const host = new HostLookup('127.0.0.1', () => 0);
  const ask = () =>
    new Promise((resolve, reject) => {
      host.lookup('127.0.0.1', { all: true }, (error, addresses) =>
        error ? reject(error) : resolve(addresses),
      );
    });
  assert.deepEqual(await ask(), [{ address: '127.0.0.1', family: 4 }]);
  let answered = false;
  host.lookup('127.0.0.1', { family: 4 }, (error, address, family) => {
    assert.deepEqual([error, address, family], [null, '127.0.0.1', 4]);
    answered = true;
  });
  assert.ok(answered, 'not at once');
});

test('an unknown host is an error that is tried again', async () => {
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = 'http://nowhere.invalid:4318';
  const exporter = testExporter();
  exporter.logs([logData(1)]);
  await exporter.flush(5000);
  assert.match((exporter.failures[0]!.error as NodeJS.ErrnoException).code ?? '', /ENOTFOUND|EAI_AGAIN/);
  await exporter.shutdown();
  assert.deepEqual(exporter.dropped, { 'logs/shutdown': 1 });
});

test('a process ends though spans wait and nothing listens', async () => {
  const script = `
    const { spanData, logData, testExporter } = await import(${JSON.stringify(import.meta.resolve('./fixtures.ts'))});
    const exporter = testExporter({ limits: { firstLogRetryMs: 600_000, spanDelayMs: 600_000, firstRetryMs: 600_000 } });
    exporter.span(spanData(1));
    exporter.logs([logData(1)]);`;
  const env = { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' };
  const args = ['--input-type=module', '--eval', script];
  await promisify(execFile)(process.execPath, args, { env, timeout: 30_000 });
});
