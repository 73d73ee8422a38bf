import {
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from '@opentelemetry/otlp-transformer';
import { type AnyResponse, type Encoder, readPartialSuccess } from './encoder.ts';
import { vanishedProtobuf } from './vanished.ts';

const SERIALIZERS = {
  traces: ProtobufTraceSerializer,
  logs: ProtobufLogsSerializer,
  metrics: ProtobufMetricsSerializer,
} as const;
const NOTHING = new Uint8Array();

/** OTLP as protobuf, for HTTP and gRPC. */
export const protobufEncoder: Encoder = {
  contentType: 'application/x-protobuf',
  spans: (spans) => ProtobufTraceSerializer.serializeRequest(spans) ?? NOTHING,
  logs: (records) => ProtobufLogsSerializer.serializeRequest(records) ?? NOTHING,
  metrics(snapshot, metrics, resource) {
    const body = ProtobufMetricsSerializer.serializeRequest(metrics) ?? NOTHING;
    if (snapshot.vanished.length === 0) return body;
    return Buffer.concat([body, vanishedProtobuf(snapshot, resource, metrics.scopeMetrics[0]!.scope)]);
  },
  partialSuccess: (signal, response) =>
    readPartialSuccess(SERIALIZERS[signal].deserializeResponse(response) as AnyResponse),
};
