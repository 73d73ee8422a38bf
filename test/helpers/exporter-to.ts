import assert from 'node:assert/strict';
import type { Protocol } from '../../src/config/otel.ts';
import { createExporter, type Exporter } from '../../src/otlp/exporter.ts';
import { resourceAttributes } from '../../src/otlp/resource.ts';
import type { Collector } from './collector.ts';

export const PROTOCOLS = ['http/protobuf', 'http/json', 'grpc'] as const satisfies readonly Protocol[];

/** Our exporter with its default resource, towards a collector. Whatever is dropped or fails, fails the test. */
export function exporterTo(
  collector: Collector,
  protocol: Protocol,
  service: Readonly<Record<string, string>>,
): Exporter {
  // The connections are made later, so the variable must stay.
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = protocol === 'grpc' ? `http://${collector.grpc}` : collector.http;
  return createExporter({
    exporters: { traces: ['otlp'], metrics: ['otlp'], logs: ['otlp'] },
    protocols: { traces: protocol, metrics: protocol, logs: protocol },
    resource: resourceAttributes(undefined, service),
    now: () => performance.now(),
    onDropped: (signal, reason, n) => assert.fail(`${n} ${signal} dropped: ${reason}`),
    onFailure: (signal, error) => assert.fail(`${signal}: ${error.message}`),
  });
}
