import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Protocol } from '../../src/config/otel.ts';
import { MetricsReader } from '../../src/otlp/metrics.ts';
import { Registry } from '../../src/store/registry.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';
import { logData, spanData, TIME, testExporter } from './fixtures.ts';

let sink: OtlpSink;
before(async () => {
  sink = await startSink();
});
after(() => sink.down());

const PROTOCOLS: readonly Protocol[] = ['http/protobuf', 'http/json', 'grpc'];

for (const protocol of PROTOCOLS) {
  for (const compression of ['none', 'gzip']) {
    test(`spans, logs and metrics arrive whole by ${protocol}, compression ${compression}`, async () => {
      sink.clear();
      process.env.OTEL_EXPORTER_OTLP_ENDPOINT = protocol === 'grpc' ? sink.grpcUrl : sink.url;
      process.env.OTEL_EXPORTER_OTLP_COMPRESSION = compression;
      const exporter = testExporter({ protocols: { traces: protocol, metrics: protocol, logs: protocol } });
      exporter.span(
        spanData(1, {
          parentSpanId: 'c'.repeat(16),
          parentIsRemote: true,
          traceState: 'vendor=1',
          attributes: { text: 'häß', whole: -7, part: 0.5, yes: true, list: ['a', 'b'] },
          events: [{ name: 'exception', timeMs: TIME + 1.25, attributes: { 'exception.type': 'Error' } }],
          links: [
            { traceId: 'd'.repeat(32), spanId: 'e'.repeat(16), traceFlags: 1, attributes: { of: 'job' } },
          ],
          status: { code: 2, message: 'broken' },
          droppedAttributes: 3,
        }),
      );
      exporter.span(spanData(2, { scope: { name: 'other' } }));
      exporter.logs([logData(1, { traceId: 'f'.repeat(32), spanId: '1'.repeat(16) })]);
      const registry = new Registry(TIME - 5000, { maxSeriesPerMetric: 100 });
      const reader = new MetricsReader(registry);
      registry.set('task.active.oldest', { 'task.name': 'gone' }, 1);
      reader.read(TIME - 1);
      registry.remove('task.active.oldest', { 'task.name': 'gone' });
      registry.add('task.runs', { 'task.name': 'a' }, 3);
      exporter.metrics(reader.read(TIME, [{ name: 'ALERTS', labels: { alertname: 'x' }, value: 1 }]));
      await exporter.flush(5000);
      await exporter.shutdown();
      assert.deepEqual([exporter.dropped, exporter.failures], [{}, []]);

      const [span, other] = sink.spans;
      const { receivedAt, resource, ...rest } = span!;
      assert.ok(Math.abs(Date.now() - receivedAt) < 60_000);
      assert.deepEqual(resource, { 'service.name': 'test', 'process.pid': 7 });
      assert.deepEqual(rest, {
        signal: 'traces',
        traceId: spanData(1).traceId,
        spanId: spanData(1).spanId,
        parentSpanId: 'c'.repeat(16),
        traceState: 'vendor=1',
        flags: 0x301,
        name: 'span 1',
        kind: 5,
        startTimeMs: TIME,
        endTimeMs: TIME + 20.5,
        attributes: { text: 'häß', whole: -7, part: 0.5, yes: true, list: ['a', 'b'] },
        droppedAttributes: 3,
        events: [{ name: 'exception', timeMs: TIME + 1.25, attributes: { 'exception.type': 'Error' } }],
        links: [{ traceId: 'd'.repeat(32), spanId: 'e'.repeat(16), flags: 0x101, attributes: { of: 'job' } }],
        status: { code: 2, message: 'broken' },
        scope: { name: 'test', version: '1' },
      });
      assert.deepEqual(
        [other?.name, other?.scope, other?.parentSpanId],
        ['span 2', { name: 'other', version: '' }, ''],
      );

      const [log] = sink.logs;
      assert.deepEqual(
        [log?.body, log?.eventName, log?.severityNumber, log?.severityText, log?.attributes, log?.timeMs],
        ['log 1', 'test.event', 17, 'ERROR', { n: 1 }, TIME],
      );
      assert.deepEqual(
        [log?.traceId, log?.spanId, log?.observedTimeMs],
        ['f'.repeat(32), '1'.repeat(16), TIME + 1],
      );

      const points = sink.metrics.map(({ name, kind, value, flags, attributes }) => ({
        name,
        kind,
        value,
        flags,
        attributes,
      }));
      assert.deepEqual(points, [
        { name: 'task.runs', kind: 'sum', value: 3, flags: 0, attributes: { 'task.name': 'a' } },
        { name: 'ALERTS', kind: 'gauge', value: 1, flags: 0, attributes: { alertname: 'x' } },
        {
          name: 'task.active.oldest',
          kind: 'gauge',
          value: Number.NaN,
          flags: 1,
          attributes: { 'task.name': 'gone' },
        },
      ]);
      assert.deepEqual(
        sink.requests.map((request) => request.protocol),
        [protocol, protocol, protocol],
      );
      if (protocol !== 'grpc') {
        const encodings = sink.requests.map(({ headers }) => headers['content-encoding'] ?? 'none');
        assert.deepEqual(encodings, [compression, compression, compression]);
      }
    });
  }
}
