import {
  JsonLogsSerializer,
  JsonMetricsSerializer,
  JsonTraceSerializer,
} from '@opentelemetry/otlp-transformer';
import { type AnyResponse, type Encoder, readPartialSuccess } from './encoder.ts';
import { vanishedJson } from './vanished.ts';

const SERIALIZERS = { traces: JsonTraceSerializer, logs: JsonLogsSerializer, metrics: JsonMetricsSerializer };
const NOTHING = new Uint8Array();

/** OTLP as JSON. Loaded only where it is asked for. */
export const jsonEncoder: Encoder = {
  contentType: 'application/json',
  spans: (spans) => JsonTraceSerializer.serializeRequest(spans) ?? NOTHING,
  logs: (records) => JsonLogsSerializer.serializeRequest(records) ?? NOTHING,
  metrics(snapshot, metrics, resource) {
    const body = JsonMetricsSerializer.serializeRequest(metrics) ?? NOTHING;
    if (snapshot.vanished.length === 0) return body;
    const request = JSON.parse(Buffer.from(body).toString()) as { resourceMetrics: object[] };
    request.resourceMetrics.push(vanishedJson(snapshot, resource, metrics.scopeMetrics[0]!.scope));
    return Buffer.from(JSON.stringify(request));
  },
  partialSuccess: (signal, response) =>
    readPartialSuccess(SERIALIZERS[signal].deserializeResponse(response) as AnyResponse),
};
