import {
  JsonLogsSerializer,
  JsonMetricsSerializer,
  JsonTraceSerializer,
} from '@opentelemetry/otlp-transformer';
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { MetricData, ResourceMetrics } from '@opentelemetry/sdk-metrics';
import { type AnyResponse, type Encoder, readPartialSuccess } from './encoder.ts';
import { vanishedJson } from './vanished.ts';

const SERIALIZERS = { traces: JsonTraceSerializer, logs: JsonLogsSerializer, metrics: JsonMetricsSerializer };
const NOTHING = new Uint8Array();

/** OTLP as JSON. Loaded only where it is asked for. */
export const jsonEncoder: Encoder = {
  contentType: 'application/json',
  spans: (spans) => JsonTraceSerializer.serializeRequest(spans) ?? NOTHING,
  logs: (records) => JsonLogsSerializer.serializeRequest(records.map(spelledLog)) ?? NOTHING,
  metrics(snapshot, metrics, resource) {
    const body = JsonMetricsSerializer.serializeRequest(spelledMetrics(metrics)) ?? NOTHING;
    if (snapshot.vanished.length === 0) return body;
    const request = JSON.parse(Buffer.from(body).toString()) as { resourceMetrics: object[] };
    request.resourceMetrics.push(vanishedJson(snapshot, resource, metrics.scopeMetrics[0]!.scope));
    return Buffer.from(JSON.stringify(request));
  },
  partialSuccess: (signal, response) =>
    readPartialSuccess(SERIALIZERS[signal].deserializeResponse(response) as AnyResponse),
};

/**
 * JSON has no number that is not finite: it says null, for which a receiver refuses the whole request. Such numbers are the texts that
 * protobuf's JSON form has for them ("NaN", "Infinity", "-Infinity"), as are JavaScript's.
 */
function spelled<T>(value: T): T {
  return typeof value === 'number' && !Number.isFinite(value) ? (String(value) as T) : value;
}

function spelledLog(record: ReadableLogRecord): ReadableLogRecord {
  const attributes = Object.entries(record.attributes).map(([key, value]) => [key, spelled(value)]);
  return { ...record, attributes: Object.fromEntries(attributes) };
}

function spelledMetrics({ resource, scopeMetrics }: ResourceMetrics): ResourceMetrics {
  const metric = (data: MetricData): MetricData =>
    ({
      ...data,
      dataPoints: data.dataPoints.map((point) => ({ ...point, value: spelled(point.value) })),
    }) as MetricData;
  return {
    resource,
    scopeMetrics: scopeMetrics.map(({ scope, metrics }) => ({ scope, metrics: metrics.map(metric) })),
  };
}
