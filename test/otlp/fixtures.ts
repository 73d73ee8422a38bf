import type { Signal } from '../../src/config/otel.ts';
import type { LogData } from '../../src/model/log.ts';
import type { SpanData } from '../../src/model/span.ts';
import { createExporter, type Exporter, type ExporterOptions } from '../../src/otlp/exporter.ts';
import type { MetricsSnapshot } from '../../src/otlp/metrics.ts';

export const TIME = 1_700_000_000_123.456;

export function spanData(n: number, more: Partial<SpanData> = {}): SpanData {
  return {
    traceId: n.toString(16).padStart(32, 'a'),
    spanId: n.toString(16).padStart(16, 'b'),
    traceFlags: 1,
    name: `span ${n}`,
    kind: 4,
    startTimeMs: TIME,
    endTimeMs: TIME + 20.5,
    attributes: { n },
    events: [],
    links: [],
    status: { code: 0 },
    scope: { name: 'test', version: '1' },
    ...more,
  };
}

export function logData(n: number, more: Partial<LogData> = {}): LogData {
  return {
    timeMs: TIME,
    observedTimeMs: TIME + 1,
    severityNumber: 17,
    severityText: 'ERROR',
    eventName: 'test.event',
    body: `log ${n}`,
    attributes: { n },
    ...more,
  };
}

export const EMPTY_SNAPSHOT: MetricsSnapshot = {
  timeMs: TIME,
  metrics: [],
  vanished: [],
};

export interface TestExporter extends Exporter {
  readonly dropped: Record<string, number>;
  readonly failures: { signal: Signal; error: Error }[];
}

/** Pauses between attempts are short; what is dropped is counted by `signal/reason`. */
export function testExporter(options: Partial<ExporterOptions> = {}): TestExporter {
  const dropped: Record<string, number> = {};
  const failures: TestExporter['failures'] = [];
  const exporter = createExporter({
    exporters: { traces: ['otlp'], metrics: ['otlp'], logs: ['otlp'] },
    protocols: { traces: 'http/protobuf', metrics: 'http/protobuf', logs: 'http/protobuf' },
    resource: { 'service.name': 'test', 'process.pid': 7 },
    onDropped: (signal, reason, n) => {
      dropped[`${signal}/${reason}`] = (dropped[`${signal}/${reason}`] ?? 0) + n;
    },
    onFailure: (signal, error) => failures.push({ signal, error }),
    now: () => performance.now(),
    ...options,
    limits: { firstRetryMs: 20, firstLogRetryMs: 20, maxRetryMs: 200, ...options.limits },
  });
  return { ...exporter, dropped, failures };
}

/** Fulfils when `holds` does; rejects after 10 s. */
export async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`did not come to hold within 10 s: ${holds}`);
    await new Promise((later) => setTimeout(later, 5));
  }
}
