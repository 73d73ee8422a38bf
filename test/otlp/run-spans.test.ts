import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spanOfRun } from '../../src/agent/run-span.ts';
import type { RunRecord } from '../../src/bridge/inbox.ts';
import { createExporter, type SpanItem } from '../../src/otlp/exporter.ts';
import { RunSpanEncoder } from '../../src/otlp/run-spans.ts';
import type { ReceivedSpan } from '../helpers/otlp-items.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';

const BASE: RunRecord = {
  slot: 1,
  generation: 1,
  task: { framework: 'bullmq', queue: 'mail', task: 'send' },
  taskId: 0,
  jobId: '42',
  attempt: 1,
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
  { ...BASE, jobId: '', startEpochMs: 1_795_540_775_849.5, durationMs: 3_600_000.5 },
];

async function received(sink: OtlpSink, spans: readonly SpanItem[]) {
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = sink.url;
  const exporter = createExporter({
    exporters: { traces: ['otlp'], metrics: [], logs: [] },
    protocols: { traces: 'http/protobuf', metrics: 'http/protobuf', logs: 'http/protobuf' },
    resource: { 'service.name': 'test', 'process.pid': 7 },
    onDropped: (_, reason, n) => assert.fail(`${n} dropped: ${reason}`),
    onFailure: (_, error) => assert.fail(error),
    now: () => performance.now(),
  });
  assert.equal(exporter.takesEncodedSpans, true);
  sink.clear();
  for (const span of spans) exporter.span(span);
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
    const encoder = new RunSpanEncoder();
    const direct = await received(
      sink,
      RUNS.map((run) => encoder.encode(run)),
    );
    const general = await received(
      sink,
      RUNS.map((run) => spanOfRun(run, '0.1.0')),
    );
    assert.equal(direct.length, RUNS.length);
    assert.deepEqual(direct, general);
  } finally {
    await sink.down();
  }
});

test('encoded and other spans go in one request', async () => {
  const sink = await startSink();
  try {
    const encoder = new RunSpanEncoder();
    const spans = await received(sink, [
      encoder.encode(BASE),
      spanOfRun(RUNS[3]!, '0.1.0'),
      encoder.encode(BASE),
    ]);
    assert.equal(spans.length, 3);
    assert.equal(sink.requests.length, 1);
    assert.deepEqual(new Set(spans.map((span) => span.resource['service.name'])), new Set(['test']));
  } finally {
    await sink.down();
  }
});
