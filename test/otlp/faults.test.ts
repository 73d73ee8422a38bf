import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import type { SpanData } from '../../src/model/span.ts';
import type { Exporter } from '../../src/otlp/exporter.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';
import { EMPTY_SNAPSHOT, logData, spanData, testExporter, until } from './fixtures.ts';

let sink: OtlpSink;
const open: Exporter[] = [];
const exporterOf: typeof testExporter = (options) => {
  const exporter = testExporter(options);
  open.push(exporter);
  return exporter;
};

before(async () => {
  sink = await startSink();
});
after(() => sink.down());
beforeEach(() => {
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = sink.url;
  sink.fault = {};
  sink.clear();
});
afterEach(async () => {
  for (const exporter of open.splice(0)) await exporter.shutdown();
});

for (const protocol of ['http/protobuf', 'grpc'] as const) {
  test(`endpoint down: everything is kept and delivered once it is up, by ${protocol}`, async () => {
    if (protocol === 'grpc') process.env.OTEL_EXPORTER_OTLP_ENDPOINT = sink.grpcUrl;
    await sink.down();
    const exporter = exporterOf({ protocols: { traces: protocol, metrics: protocol, logs: protocol } });
    try {
      exporter.logs([logData(1)]);
      exporter.span(spanData(1));
      exporter.metrics({ ...EMPTY_SNAPSHOT, vanished: [vanished('a')] });
      await exporter.flush(2000);
      assert.deepEqual(
        new Set(exporter.failures.map(({ signal }) => signal)),
        new Set(['logs', 'traces', 'metrics']),
      );
      exporter.logs([logData(2)]);
    } finally {
      await sink.up();
    }
    await sink.waitFor(
      ({ logs, spans, metrics }) => logs.length === 2 && spans.length === 1 && metrics.length === 1,
    );
    assert.deepEqual(exporter.dropped, {});
  });
}

test('503 with Retry-After: the next attempt waits as long as the server asks, though the pause would be shorter', async () => {
  sink.fault = { status: 503, retryAfter: 1 };
  const exporter = exporterOf();
  exporter.logs([logData(1)]);
  await until(() => exporter.failures.length === 1);
  sink.fault = {};
  exporter.logs([logData(2)]);
  await sink.waitFor(({ logs }) => logs.length === 2);
  const [first, second] = sink.requests;
  assert.equal(first?.status, 503);
  assert.ok(second!.receivedAt - first!.receivedAt >= 990, `${second!.receivedAt - first!.receivedAt} ms`);
  assert.deepEqual(exporter.dropped, {});
});

test('503 without Retry-After: attempts go on until one is accepted', async () => {
  sink.fault = { status: 503 };
  const exporter = exporterOf();
  exporter.logs([logData(1)]);
  await sink.waitFor(({ requests }) => requests.length >= 4);
  sink.fault = {};
  await sink.waitFor(({ logs }) => logs.length === 1);
  assert.deepEqual(exporter.dropped, {});
  assert.match(exporter.failures[0]!.error.message, /^HTTP 503/);
});

test('no answer within OTEL_EXPORTER_OTLP_TIMEOUT: tried again', async () => {
  process.env.OTEL_EXPORTER_OTLP_TIMEOUT = '50';
  sink.fault = { delayMs: 200 };
  const exporter = exporterOf();
  delete process.env.OTEL_EXPORTER_OTLP_TIMEOUT;
  exporter.logs([logData(1)]);
  await sink.waitFor(({ requests }) => requests.length === 1);
  sink.fault = {};
  await sink.waitFor(({ requests }) => requests.some(({ status }, n) => n > 0 && status === 200));
  assert.match(exporter.failures[0]!.error.message, /no answer within 50 ms/);
});

test('slow endpoint: at most two batches of spans are on their way, the rest waits', async () => {
  sink.fault = { delayMs: 100 };
  const exporter = exporterOf({ limits: { spanBatch: 10 } });
  for (let n = 0; n < 50; n++) exporter.span(spanData(n));
  await exporter.flush(5000);
  assert.equal(sink.spans.length, 50);
  const requests = sink.requests.filter(({ signal }) => signal === 'traces');
  const arrivals = requests.map(({ receivedAt }) => receivedAt);
  assert.equal(arrivals.length, 5);
  assert.ok(arrivals[2]! - arrivals[0]! >= 95, 'the third batch went before the first was answered');
});

for (const status of [400, 404, 401]) {
  test(`HTTP ${status}: given up at once and counted`, async () => {
    sink.fault = { status };
    const exporter = exporterOf();
    exporter.logs([logData(1), logData(2)]);
    exporter.span(spanData(1));
    exporter.metrics(EMPTY_SNAPSHOT);
    await exporter.flush(2000);
    assert.deepEqual(exporter.dropped, { 'logs/rejected': 2, 'traces/rejected': 1, 'metrics/rejected': 1 });
    assert.equal(sink.requests.length, 3);
  });
}

for (const protocol of ['http/protobuf', 'http/json', 'grpc'] as const) {
  test(`items that an accepted request reports as rejected are counted, by ${protocol}`, async () => {
    if (protocol === 'grpc') process.env.OTEL_EXPORTER_OTLP_ENDPOINT = sink.grpcUrl;
    sink.fault = { rejected: 2 };
    const exporter = exporterOf({ protocols: { traces: protocol, metrics: protocol, logs: protocol } });
    for (const n of [1, 2, 3]) exporter.span(spanData(n));
    await exporter.flush(2000);
    assert.deepEqual(exporter.dropped, { 'traces/rejected': 2 });
  });
}

test('full queues: the oldest make room, and are counted; memory is bounded', async () => {
  await sink.down();
  const exporter = exporterOf({ limits: { spanQueue: 100, spanBatch: 1000, logQueue: 5, logBatch: 2 } });
  try {
    for (let n = 0; n < 250; n++) exporter.span(spanData(n));
    for (let n = 0; n < 20; n++) exporter.logs([logData(n)]);
    assert.equal(exporter.dropped['traces/queue_full'], 150);
    assert.ok(exporter.dropped['logs/queue_full']! >= 20 - 5 - 2 * 2);
  } finally {
    await sink.up();
  }
  await exporter.flush(5000);
  assert.deepEqual(
    sink.spans.map(({ name }) => name),
    Array.from({ length: 100 }, (_, n) => `span ${150 + n}`),
  );
  assert.equal(sink.logs.length + exporter.dropped['logs/queue_full']!, 20);
  assert.equal(sink.logs.at(-1)?.body, 'log 19');
});

test('shutdown: what waits and what comes later is counted, and requests on their way end', async () => {
  sink.fault = { delayMs: 60_000 };
  const exporter = exporterOf();
  exporter.logs([logData(1)]);
  await exporter.flush(200);
  for (const n of [1, 2]) exporter.span(spanData(n));
  await exporter.shutdown();
  exporter.span(spanData(3));
  exporter.metrics(EMPTY_SNAPSHOT);
  await until(() => exporter.dropped['logs/shutdown'] !== undefined);
  assert.deepEqual(exporter.dropped, { 'traces/shutdown': 3, 'logs/shutdown': 1, 'metrics/shutdown': 1 });
});

test('flush: fulfils by its deadline when nothing answers, and soon when nothing listens', async () => {
  sink.fault = { delayMs: 60_000 };
  const slow = exporterOf();
  slow.logs([logData(1)]);
  await slow.flush(100);
  await sink.down();
  try {
    const refused = exporterOf();
    refused.logs([logData(1)]);
    const started = performance.now();
    await refused.flush(30_000);
    assert.ok(performance.now() - started < 10_000);
  } finally {
    await sink.up();
  }
});

test('a span that cannot be encoded is dropped alone', async () => {
  const exporter = exporterOf();
  const broken = { ...spanData(2), traceId: undefined } as unknown as SpanData;
  for (const span of [spanData(1), broken, spanData(3), spanData(4)]) exporter.span(span);
  await exporter.flush(2000);
  assert.deepEqual(sink.spans.map(({ name }) => name).sort(), ['span 1', 'span 3', 'span 4']);
  assert.deepEqual(exporter.dropped, { 'traces/rejected': 1 });
});

test('a batch larger than a gRPC receiver takes is cut', async () => {
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = sink.grpcUrl;
  const exporter = exporterOf({ protocols: { traces: 'grpc', metrics: 'grpc', logs: 'grpc' } });
  const attributes = { big: 'x'.repeat(1_000_000) };
  for (let n = 0; n < 6; n++) exporter.span(spanData(n, { attributes }));
  await exporter.flush(5000);
  assert.equal(sink.spans.length, 6);
  assert.deepEqual(exporter.dropped, {});
});

test('metrics: only the newest snapshot is sent, with the series that vanished before it', async () => {
  await sink.down();
  const exporter = exporterOf();
  try {
    exporter.metrics({ ...EMPTY_SNAPSHOT, timeMs: 1000, vanished: [vanished('a')] });
    await exporter.flush(1000);
    exporter.metrics({ ...EMPTY_SNAPSHOT, timeMs: 2000, vanished: [vanished('b')] });
    exporter.metrics({ ...EMPTY_SNAPSHOT, timeMs: 3000, vanished: [vanished('a')] });
  } finally {
    await sink.up();
  }
  await exporter.flush(5000);
  const marks = sink.metrics.map(({ attributes, timeMs, flags }) => [attributes.of, timeMs, flags]);
  assert.deepEqual(marks, [
    ['a', 3000, 1],
    ['b', 3000, 1],
  ]);
  assert.deepEqual(exporter.dropped, {});
});

test('metrics: what a snapshot that was given up says of vanished series, the next one says', async () => {
  const exporter = exporterOf();
  sink.fault = { status: 400 };
  exporter.metrics({ ...EMPTY_SNAPSHOT, vanished: [vanished('refused')] });
  await exporter.flush(5000);
  sink.fault = {};
  const unwritable = {
    descriptor: { name: 'a' },
    dataPoints: [{ attributes: {} }],
    dataPointType: 2,
  } as never;
  exporter.metrics({ ...EMPTY_SNAPSHOT, metrics: [unwritable], vanished: [vanished('unwritable')] });
  await exporter.flush(5000);
  assert.equal(sink.metrics.length, 0);
  exporter.metrics(EMPTY_SNAPSHOT);
  await exporter.flush(5000);
  assert.deepEqual(sink.metrics.map(({ attributes }) => attributes.of).sort(), ['refused', 'unwritable']);
  assert.deepEqual(exporter.dropped, { 'metrics/rejected': 2 });
});

function vanished(of: string) {
  return {
    name: 'ALERTS',
    description: '',
    unit: '',
    kind: 'gauge',
    monotonic: false,
    startTimeMs: 0,
    points: [{ of }],
  } as const;
}
