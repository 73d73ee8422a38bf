import type { Resource } from '@opentelemetry/resources';
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import type { Signal } from '../config/otel.ts';
import type { MetricsSnapshot } from './metrics.ts';
import type { ResourceAttributes } from './resource.ts';

/** Writes requests and reads responses in one form of OTLP. All methods may throw on values that have no such form. */
export interface Encoder {
  readonly contentType: string;
  spans(spans: ReadableSpan[]): Uint8Array;
  logs(records: ReadableLogRecord[]): Uint8Array;
  /** The snapshot's values, and a mark on each of its series that have vanished. */
  metrics(snapshot: MetricsSnapshot, metrics: ResourceMetrics, resource: ResourceAttributes): Uint8Array;
  /** What a response says of items that were not taken. */
  partialSuccess(signal: Signal, response: Uint8Array): PartialSuccess;
}

export interface PartialSuccess {
  readonly rejected: number;
  readonly message: string;
}

/** What the response types of the three signals have in common. */
export interface AnyResponse {
  readonly partialSuccess?: {
    readonly rejectedSpans?: number | string;
    readonly rejectedLogRecords?: number | string;
    readonly rejectedDataPoints?: number | string;
    readonly errorMessage?: string;
  };
}

export function readPartialSuccess(response: AnyResponse): PartialSuccess {
  const { rejectedSpans, rejectedLogRecords, rejectedDataPoints, errorMessage } =
    response.partialSuccess ?? {};
  const rejected = Number(rejectedSpans ?? rejectedLogRecords ?? rejectedDataPoints ?? 0);
  return { rejected: Math.max(rejected, 0), message: errorMessage ?? '' };
}

export function resourceMetrics(
  snapshot: MetricsSnapshot,
  resource: Resource,
  scope: ResourceMetrics['scopeMetrics'][number]['scope'],
): ResourceMetrics {
  return { resource, scopeMetrics: [{ scope, metrics: snapshot.metrics }] };
}
