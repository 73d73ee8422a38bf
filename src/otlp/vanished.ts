import { AggregationTemporality } from '@opentelemetry/sdk-metrics';
import type { Labels } from '../model/labels.ts';
import type { MetricsSnapshot, VanishedMetric } from './metrics.ts';
import type { ResourceAttributes } from './resource.ts';
import { fixed64, keyValues, message, nanos, text, varintField } from './wire.ts';

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
  const metrics = snapshot.vanished.map((metric) => {
    const start = fixed64(2, nanos(metric.startTimeMs));
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

function jsonPoint(metric: VanishedMetric, labels: Labels, { timeMs }: MetricsSnapshot): object {
  return {
    attributes: jsonAttributes(labels),
    ...(metric.kind === 'sum' && { startTimeUnixNano: String(nanos(metric.startTimeMs)) }),
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
