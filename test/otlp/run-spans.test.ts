import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spanOfRun } from '../../src/agent/run-span.ts';
import type { RunRecord } from '../../src/bridge/inbox.ts';
import {
  createExporter,
  type Exporter,
  type ExporterLimits,
  type ExporterOptions,
} from '../../src/otlp/exporter.ts';
import type { ReceivedSpan } from '../helpers/otlp-items.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';

const BASE: RunRecord = {
  thread: 0,
  slot: 1,
  generation: 1,
  task: { framework: 'bullmq', queue: 'mail', task: 'send' },
  taskId: 0,
  jobId: '42',
  attempt: 1,
  isRetry: false,
  failed: false,
  startEpochMs: 1_795_540_775_849.0432,
  durationMs: 20.2034,
  waitMs: 12.5,
  cpuMs: 0.097,
  cpuQuality: 'exact',
  cpuSampled: false,
  blockMs: 0.074,
  requests: 3,
  bytesIn: 1_000_000,
  bytesOut: 250,
  payloadBytes: 27,
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  exportSpan: true,
  extra: undefined,
};

const RUNS: RunRecord[] = [
  BASE,
  { ...BASE, waitMs: undefined, payloadBytes: undefined, cpuQuality: 'sync_only' },
  { ...BASE, requests: -1, cpuQuality: 'off' },
  { ...BASE, attempt: 300, requests: 127, bytesIn: 128, bytesOut: 2 ** 40, payloadBytes: 16_384 },
  { ...BASE, jobId: 'ключ-✓', task: { framework: 'bullmq', queue: 'почта'.repeat(40), task: '发送' } },
  { ...BASE, jobId: 'j'.repeat(120), startEpochMs: 1_000_000_000_000, durationMs: 0 },
  { ...BASE, task: { framework: 'bullmq', queue: 'q'.repeat(20_000), task: 'send' } },
  { ...BASE, jobId: '', startEpochMs: 1_795_540_775_849.5, durationMs: 3_600_000.5 },
];

function open(
  sink: OtlpSink,
  limits: Partial<ExporterLimits> = {},
  more: Partial<ExporterOptions> = {},
): Exporter {
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = sink.url;
  sink.clear();
  return createExporter({
    exporters: { traces: ['otlp'], metrics: [], logs: [] },
    protocols: { traces: 'http/protobuf', metrics: 'http/protobuf', logs: 'http/protobuf' },
    resource: { 'service.name': 'test', 'process.pid': 7 },
    limits,
    onDropped: (_, reason, n) => assert.fail(`${n} dropped: ${reason}`),
    onFailure: (_, error) => assert.fail(error),
    ...more,
    now: () => performance.now(),
  });
}

async function received(sink: OtlpSink, exporter: Exporter) {
  await exporter.flush(5000);
  await exporter.shutdown();
  return sink.spans.map(comparable);
}

/** Both encodings round their times to a microsecond or finer; integers may be doubles of the same value. */
function comparable({ receivedAt: _, startTimeMs, endTimeMs, attributes, ...span }: ReceivedSpan) {
  const sorted = Object.fromEntries(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)));
  return { ...span, attributes: sorted, start: startTimeMs.toFixed(2), end: endTimeMs.toFixed(2) };
}

test('the span of a run arrives as the general serializer would have sent it', async () => {
  const sink = await startSink();
  try {
    const exporter = open(sink);
    for (const run of RUNS) assert.ok(exporter.run(run));
    const direct = await received(sink, exporter);
    const other = open(sink);
    for (const run of RUNS) other.span(spanOfRun(run, '0.1.0'));
    const general = await received(sink, other);
    assert.equal(direct.length, RUNS.length);
    assert.deepEqual(direct, general);
  } finally {
    await sink.down();
  }
});

test('encoded and other spans go in one request', async () => {
  const sink = await startSink();
  try {
    const exporter = open(sink);
    assert.ok(exporter.run(BASE));
    exporter.span(spanOfRun(RUNS[3]!, '0.1.0'));
    assert.ok(exporter.run(BASE));
    const spans = await received(sink, exporter);
    assert.equal(spans.length, 3);
    assert.equal(sink.requests.length, 1);
    assert.deepEqual(new Set(spans.map((span) => span.resource['service.name'])), new Set(['test']));
  } finally {
    await sink.down();
  }
});

const numbered = (n: number): RunRecord => ({
  ...BASE,
  jobId: `${n}`,
  spanId: n.toString(16).padStart(16, '0'),
});
const ids = (spans: readonly { attributes: Record<string, unknown> }[]) =>
  spans.map(({ attributes }) => Number(attributes['messaging.message.id'])).sort((a, b) => a - b);

test('at full speed each span arrives once, as what carried it is used again', async () => {
  const sink = await startSink();
  try {
    const exporter = open(sink, { spanBatch: 100, spanQueue: 10_000 });
    for (let n = 0; n < 5050; n++) {
      assert.ok(exporter.run(numbered(n)));
      if (n % 200 === 0) await new Promise((later) => setTimeout(later, 1));
    }
    const spans = await received(sink, exporter);
    assert.deepEqual(ids(spans), [...Array(5050).keys()]);
    for (const { spanId, attributes } of spans)
      assert.equal(Number.parseInt(spanId, 16), Number(attributes['messaging.message.id']));
  } finally {
    await sink.down();
  }
});

test('while nobody answers the oldest make room, are counted, and the others arrive later', async () => {
  const sink = await startSink();
  try {
    let dropped = 0;
    const exporter = open(
      sink,
      { spanBatch: 10, spanQueue: 100, firstRetryMs: 20, maxRetryMs: 20 },
      {
        onDropped(_, reason, n) {
          if (reason === 'queue_full') dropped += n;
        },
        onFailure: () => {},
      },
    );
    await sink.down();
    for (let n = 0; n < 500; n++) {
      exporter.run(numbered(n));
      if (n % 10 === 0) await new Promise((later) => setTimeout(later, 2));
    }
    // The limit, and two requests on their way.
    assert.ok(dropped >= 380 && dropped <= 400, `${dropped}`);
    await sink.up();
    const spans = await received(sink, exporter);
    assert.equal(spans.length + dropped, 500);
    assert.deepEqual(
      ids(spans).slice(-80),
      [...Array(80).keys()].map((n) => 420 + n),
    );
  } finally {
    await sink.down();
  }
});

test('a span that no request has room for is to be given as one', async () => {
  const sink = await startSink();
  try {
    const exporter = open(sink);
    const run = { ...BASE, task: { framework: 'bullmq', queue: 'q'.repeat(400_000), task: 'send' } };
    assert.equal(exporter.run(run), false);
    assert.ok(exporter.run(BASE));
    assert.equal((await received(sink, exporter)).length, 1);
  } finally {
    await sink.down();
  }
});

test('a request that is tried again is the same: others are not added to it', async () => {
  const sink = await startSink();
  try {
    const exporter = open(sink, { spanBatch: 10, firstRetryMs: 5, maxRetryMs: 5 }, { onFailure: () => {} });
    sink.fault = { status: 503 };
    for (let n = 0; n < 200; n++) {
      exporter.run(numbered(n));
      exporter.span(spanOfRun({ ...BASE, jobId: `${1000 + n}` }, '0.1.0'));
      if (n % 10 === 0) await new Promise((later) => setTimeout(later, 10));
    }
    assert.ok(sink.requests.length > 5, `${sink.requests.length} attempts`);
    sink.fault = {};
    const spans = await received(sink, exporter);
    assert.equal(spans.length, 400);
    assert.deepEqual(ids(spans), [...Array(200).keys(), ...[...Array(200).keys()].map((n) => 1000 + n)]);
    assert.ok(sink.requests.every(({ items }) => items <= 20));
  } finally {
    await sink.down();
  }
});
