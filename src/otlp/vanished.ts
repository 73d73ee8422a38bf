import { AggregationTemporality } from '@opentelemetry/sdk-metrics';
import type { Labels } from '../model/labels.ts';
import type { MetricsSnapshot, VanishedMetric } from './metrics.ts';
import type { ResourceAttributes } from './resource.ts';

/**
 * Metrics requests that say "this series has ended": data points with flag NoRecordedValue, which Prometheus turns into
 * staleness markers. Written by hand, because OpenTelemetry's serializers write no data point flags.
 * (Field numbers: opentelemetry/proto/metrics/v1/metrics.proto and what it imports.)
 */

const NO_RECORDED_VALUE = 1;
/** AGGREGATION_TEMPORALITY_CUMULATIVE; the SDK's enum counts from 0, the protocol from 1. */
const CUMULATIVE = AggregationTemporality.CUMULATIVE + 1;

interface Scope {
  readonly name: string;
  readonly version?: string | undefined;
}

/** An ExportMetricsServiceRequest in protobuf, to be appended to another one: messages joined end to end are merged. */
export function vanishedProtobuf(
  snapshot: MetricsSnapshot,
  resource: ResourceAttributes,
  scope: Scope,
): Buffer {
  const times = [fixed64(3, nanos(snapshot.timeMs)), varintField(8, NO_RECORDED_VALUE)];
  const start = fixed64(2, nanos(snapshot.startTimeMs));
  const metrics = snapshot.vanished.map((metric) => {
    const points = metric.points.map((labels) =>
      message(1, ...(metric.kind === 'sum' ? [start] : []), ...times, ...keyValues(7, labels)),
    );
    const sum = [varintField(2, CUMULATIVE), varintField(3, metric.monotonic ? 1 : 0)];
    const data = metric.kind === 'gauge' ? message(5, ...points) : message(7, ...points, ...sum);
    return message(2, text(1, metric.name), text(2, metric.description), text(3, metric.unit), data);
  });
  const scopeMessage = message(1, text(1, scope.name), text(2, scope.version ?? ''));
  return message(1, message(1, ...keyValues(1, resource)), message(2, scopeMessage, ...metrics));
}

/** The element of `resourceMetrics` that does the same in OTLP's JSON form. */
export function vanishedJson(snapshot: MetricsSnapshot, resource: ResourceAttributes, scope: Scope): object {
  const metrics = snapshot.vanished.map((metric) => ({
    name: metric.name,
    description: metric.description,
    unit: metric.unit,
    [metric.kind]: {
      dataPoints: metric.points.map((labels) => jsonPoint(metric, labels, snapshot)),
      ...(metric.kind === 'sum' && { aggregationTemporality: CUMULATIVE, isMonotonic: metric.monotonic }),
    },
  }));
  return { resource: { attributes: jsonAttributes(resource) }, scopeMetrics: [{ scope, metrics }] };
}

function jsonPoint(metric: VanishedMetric, labels: Labels, { timeMs, startTimeMs }: MetricsSnapshot): object {
  return {
    attributes: jsonAttributes(labels),
    ...(metric.kind === 'sum' && { startTimeUnixNano: String(nanos(startTimeMs)) }),
    timeUnixNano: String(nanos(timeMs)),
    flags: NO_RECORDED_VALUE,
  };
}

function jsonAttributes(attributes: ResourceAttributes): object[] {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === 'string' ? { stringValue: value } : { doubleValue: value },
  }));
}

/** Whole microseconds, as the clock gives no more. */
function nanos(ms: number): bigint {
  return BigInt(Math.round(ms * 1000)) * 1000n;
}

function keyValues(field: number, attributes: ResourceAttributes): Buffer[] {
  return Object.entries(attributes).map(([key, value]) =>
    message(field, text(1, key), message(2, anyValue(value))),
  );
}

function anyValue(value: string | number): Buffer {
  if (typeof value === 'string') return message(1, Buffer.from(value));
  return Number.isInteger(value) && value >= 0 ? varintField(3, value) : double(4, value);
}

function text(field: number, value: string): Buffer {
  return value === '' ? Buffer.alloc(0) : message(field, Buffer.from(value));
}

function message(field: number, ...parts: readonly Buffer[]): Buffer {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([varint((field << 3) | 2), varint(size), ...parts]);
}

function varintField(field: number, value: number): Buffer {
  return Buffer.concat([varint(field << 3), varint(value)]);
}

function fixed64(field: number, value: bigint): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = (field << 3) | 1;
  bytes.writeBigUInt64LE(value, 1);
  return bytes;
}

function double(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = (field << 3) | 1;
  bytes.writeDoubleLE(value, 1);
  return bytes;
}

/** @param value an integer from 0 to 2^53 */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}
