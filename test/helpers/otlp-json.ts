import type { Labels } from '../../src/model/labels.ts';
import type { Registry } from '../../src/store/registry.ts';

/** OTLP in its JSON form, written from the specification alone, so that a test does not depend on our own encoder. */

const CUMULATIVE = 2;
/** Flag of a data point that says: this series has no value any more. */
const NO_RECORDED_VALUE = 1;

/** A gauge that no table knows; without a value it says that the series has ended. */
export interface LooseGauge {
  readonly name: string;
  readonly attributes: Labels;
  readonly value: number | undefined;
}

export interface Resource {
  readonly 'service.name': string;
  readonly 'service.namespace'?: string;
  readonly 'service.instance.id': string;
}

/** A body for `/v1/metrics`. Times in ms since the Unix epoch. `gauges` adds gauges without a unit. */
export function metricsRequest(
  resource: Resource,
  registry: Registry,
  time: number,
  gauges: readonly LooseGauge[] = [],
): object {
  const times = { startTimeUnixNano: nanos(registry.startTime), timeUnixNano: nanos(time) };
  const metrics: object[] = gauges.map(({ name, attributes: own, value }) => {
    const state = value === undefined ? { flags: NO_RECORDED_VALUE } : { asDouble: value };
    return {
      name,
      gauge: { dataPoints: [{ attributes: attributes(own), timeUnixNano: nanos(time), ...state }] },
    };
  });
  for (const { name, definition, points } of registry.metrics()) {
    const dataPoints = [...points.values()].map((point) => ({
      attributes: attributes(point.attributes),
      ...times,
      ...('counts' in point
        ? {
            count: String(point.count),
            sum: point.sum,
            bucketCounts: [...point.counts].map(String),
            explicitBounds: definition.buckets,
          }
        : { asDouble: point.value }),
    }));
    metrics.push({
      name,
      unit: definition.unit,
      description: definition.description,
      ...(definition.kind === 'gauge' && { gauge: { dataPoints } }),
      ...(definition.kind === 'histogram' && {
        histogram: { aggregationTemporality: CUMULATIVE, dataPoints },
      }),
      ...((definition.kind === 'counter' || definition.kind === 'updowncounter') && {
        sum: {
          aggregationTemporality: CUMULATIVE,
          isMonotonic: definition.kind === 'counter',
          dataPoints,
        },
      }),
    });
  }
  const scope = { name: 'taskwarden', version: 'test' };
  return {
    resourceMetrics: [{ resource: { attributes: attributes(resource) }, scopeMetrics: [{ scope, metrics }] }],
  };
}

/** A body for `/v1/logs` with one event. */
export function eventRequest(resource: Resource, eventName: string, body: string, own: Labels): object {
  const record = {
    timeUnixNano: nanos(Date.now()),
    severityNumber: 17,
    severityText: 'ERROR',
    eventName,
    body: { stringValue: body },
    attributes: attributes(own),
  };
  return {
    resourceLogs: [
      {
        resource: { attributes: attributes(resource) },
        scopeLogs: [{ scope: { name: 'taskwarden' }, logRecords: [record] }],
      },
    ],
  };
}

/** A body for `/v1/traces` with one consumer span. */
export function spanRequest(resource: Resource, name: string): object {
  const span = {
    traceId: '5b8efff798038103d269b633813fc60c',
    spanId: 'eee19b7ec3c1b174',
    name,
    kind: 5,
    startTimeUnixNano: nanos(Date.now() - 1000),
    endTimeUnixNano: nanos(Date.now()),
  };
  return {
    resourceSpans: [
      {
        resource: { attributes: attributes(resource) },
        scopeSpans: [{ scope: { name: 'taskwarden' }, spans: [span] }],
      },
    ],
  };
}

/** Posts a body to a collector; throws unless it was taken. */
export async function postOtlp(url: string, body: object): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  const answer = await response.text();
  if (!response.ok || answer.includes('rejected')) throw new Error(`${url}: ${response.status} ${answer}`);
}

function attributes(labels: Labels | Resource): object[] {
  return Object.entries(labels).map(([key, value]) => ({ key, value: { stringValue: value } }));
}

function nanos(ms: number): string {
  return `${Math.round(ms)}000000`;
}
