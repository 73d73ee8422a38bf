import { Client, connectivityState, type Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { convertLegacyOtlpGrpcOptions } from '@opentelemetry/otlp-grpc-exporter-base';
import type { Signal } from '../config/otel.ts';
import { VERSION } from '../model/package.ts';
import { retryDelayMs } from './retry-info.ts';
import type { SendResult, Transport } from './transport.ts';

const METHODS: Readonly<Record<Signal, string>> = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
};

/** Codes after which the same request may be sent again (source: OTLP specification, "Failures" of OTLP/gRPC). */
const RETRYABLE: ReadonlySet<number> = new Set([
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.ABORTED,
  status.OUT_OF_RANGE,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);

/** grpc-js's number for gzip in `grpc.default_compression_algorithm`. */
const GZIP = 2;
/** Ours is the schedule of retries; the channel may connect whenever we ask. */
const RECONNECT_MS = 100;

/** OTLP over gRPC, configured by OpenTelemetry's exporters, whose transport gives no hold on the channel's options. */
export function openGrpc(signal: Signal): Transport {
  const config = convertLegacyOtlpGrpcOptions({}, signal.toUpperCase());
  const local = /^localhost(?::(\d+))?$/.exec(config.url);
  const port = local?.[1] ?? 443;
  // Looking localhost up takes a place in the thread pool that the application shares.
  const targets = local === null ? [config.url] : [`ipv4:127.0.0.1:${port}`, `ipv6:[::1]:${port}`];
  let client: Client | undefined;
  let metadata: Metadata | undefined;

  const connect = (): Client => {
    metadata = config.metadata();
    return new Client(targets[0]!, config.credentials(), {
      'grpc.primary_user_agent': `taskwarden/${VERSION}`,
      'grpc.initial_reconnect_backoff_ms': RECONNECT_MS,
      'grpc.max_reconnect_backoff_ms': RECONNECT_MS * 10,
      'grpc.enable_retries': 0,
      ...(config.compression === 'gzip' && { 'grpc.default_compression_algorithm': GZIP }),
      ...(local !== null && {
        'grpc.default_authority': config.url,
        'grpc.ssl_target_name_override': 'localhost',
      }),
    });
  };

  /** Nobody listens there: the other address comes first the next time. */
  const turn = (): void => {
    if (targets.length < 2 || client?.getChannel().getConnectivityState(false) === connectivityState.READY)
      return;
    targets.reverse();
    client?.close();
    client = undefined;
  };

  return {
    timeoutMs: config.timeoutMillis,
    send: (body, timeoutMs) =>
      new Promise<SendResult>((resolve) => {
        try {
          client ??= connect();
          client.makeUnaryRequest(
            METHODS[signal],
            (request: Buffer) => request,
            (response: Buffer) => response,
            Buffer.from(body.buffer, body.byteOffset, body.byteLength),
            metadata ?? config.metadata(),
            { deadline: Date.now() + timeoutMs },
            (error, response) => {
              if (error?.code === status.UNAVAILABLE) turn();
              resolve(resultOf(error, response));
            },
          );
        } catch (error) {
          resolve({ status: 'rejected', error: error as Error });
        }
      }),
    close: () => client?.close(),
  };
}

function resultOf(error: ServiceError | null, response: Buffer | undefined): SendResult {
  if (error === null) return { status: 'accepted', response: response ?? new Uint8Array() };
  const [details] = error.metadata.get('grpc-status-details-bin');
  const retryAfterMs = details === undefined ? undefined : retryDelayMs(Buffer.from(details));
  // A server that is out of resources says with RetryInfo that it expects to recover.
  const isExhausted = error.code === status.RESOURCE_EXHAUSTED && retryAfterMs !== undefined;
  if (isExhausted || RETRYABLE.has(error.code)) return { status: 'retryable', error, retryAfterMs };
  return { status: 'rejected', error };
}
