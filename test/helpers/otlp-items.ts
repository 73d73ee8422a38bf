import { decodeRequest, type Signal } from './otlp-schema.ts';

/** What an OTLP request holds, flattened: one plain object per span, log record and data point. Times in ms since the Unix epoch. */

export type Plain = string | number | boolean | null | Plain[] | { [key: string]: Plain };
export type Attributes = Record<string, Plain>;

interface Common {
  resource: Attributes;
  scope: { name: string; version: string };
  /** When the whole request had arrived, ms since the Unix epoch with fractions. */
  receivedAt: number;
}

export interface ReceivedSpan extends Common {
  signal: 'traces';
  traceId: string;
  spanId: string;
  parentSpanId: string;
  traceState: string;
  flags: number;
  name: string;
  /** As in the protocol: internal 1, server 2, client 3, producer 4, consumer 5. */
  kind: number;
  startTimeMs: number;
  endTimeMs: number;
  attributes: Attributes;
  droppedAttributes: number;
  events: { name: string; timeMs: number; attributes: Attributes }[];
  links: { traceId: string; spanId: string; flags: number; attributes: Attributes }[];
  status: { code: number; message: string };
}

export interface ReceivedLog extends Common {
  signal: 'logs';
  timeMs: number;
  observedTimeMs: number;
  severityNumber: number;
  severityText: string;
  eventName: string;
  body: Plain;
  attributes: Attributes;
  traceId: string;
  spanId: string;
}

export interface ReceivedPoint extends Common {
  signal: 'metrics';
  name: string;
  unit: string;
  description: string;
  kind: 'gauge' | 'sum' | 'histogram';
  /** 1 delta, 2 cumulative; 0 for gauges. */
  temporality: number;
  monotonic: boolean;
  attributes: Attributes;
  startTimeMs: number;
  timeMs: number;
  valueType: 'int' | 'double' | 'none';
  /** NaN where the point has none; the sum of a histogram. */
  value: number;
  /** 1 = no recorded value. */
  flags: number;
  count: number;
  bucketCounts: number[];
  bounds: number[];
}

export type Received = ReceivedSpan | ReceivedLog | ReceivedPoint;

// biome-ignore lint/suspicious/noExplicitAny: decoded requests have no static type, and the helpers below check as they read
type Raw = any;

/** Throws when the body is malformed. */
export function readRequest(signal: Signal, body: Uint8Array, json: boolean, receivedAt: number): Received[] {
  const request: Raw = json ? JSON.parse(Buffer.from(body).toString()) : decodeRequest(signal, body);
  const items: Received[] = [];
  for (const perResource of request[`resource${LISTS[signal].scopes}`] ?? []) {
    const resource = attributes(perResource.resource?.attributes);
    for (const perScope of perResource[`scope${LISTS[signal].scopes}`] ?? []) {
      const scope = { name: perScope.scope?.name ?? '', version: perScope.scope?.version ?? '' };
      const common = { resource, scope, receivedAt };
      for (const item of perScope[LISTS[signal].items] ?? []) {
        if (signal === 'traces') items.push(span(item, common));
        else if (signal === 'logs') items.push(log(item, common));
        else items.push(...points(item, common));
      }
    }
  }
  return items;
}

const LISTS = {
  traces: { scopes: 'Spans', items: 'spans' },
  logs: { scopes: 'Logs', items: 'logRecords' },
  metrics: { scopes: 'Metrics', items: 'metrics' },
} as const;

function span(raw: Raw, common: Common): ReceivedSpan {
  return {
    signal: 'traces',
    traceId: id(raw.traceId),
    spanId: id(raw.spanId),
    parentSpanId: id(raw.parentSpanId),
    traceState: raw.traceState ?? '',
    flags: Number(raw.flags ?? 0),
    name: raw.name,
    kind: Number(raw.kind ?? 0),
    startTimeMs: ms(raw.startTimeUnixNano),
    endTimeMs: ms(raw.endTimeUnixNano),
    attributes: attributes(raw.attributes),
    droppedAttributes: Number(raw.droppedAttributesCount ?? 0),
    events: (raw.events ?? []).map((event: Raw) => ({
      name: event.name,
      timeMs: ms(event.timeUnixNano),
      attributes: attributes(event.attributes),
    })),
    links: (raw.links ?? []).map((link: Raw) => ({
      traceId: id(link.traceId),
      spanId: id(link.spanId),
      flags: Number(link.flags ?? 0),
      attributes: attributes(link.attributes),
    })),
    status: { code: Number(raw.status?.code ?? 0), message: raw.status?.message ?? '' },
    ...common,
  };
}

function log(raw: Raw, common: Common): ReceivedLog {
  return {
    signal: 'logs',
    timeMs: ms(raw.timeUnixNano),
    observedTimeMs: ms(raw.observedTimeUnixNano),
    severityNumber: Number(raw.severityNumber ?? 0),
    severityText: raw.severityText ?? '',
    eventName: raw.eventName ?? '',
    body: anyValue(raw.body),
    attributes: attributes(raw.attributes),
    traceId: id(raw.traceId),
    spanId: id(raw.spanId),
    ...common,
  };
}

function points(raw: Raw, common: Common): ReceivedPoint[] {
  const kind = (['gauge', 'sum', 'histogram'] as const).find((candidate) => raw[candidate] !== undefined);
  if (kind === undefined) throw new TypeError(`metric ${raw.name} has no data`);
  const data: Raw = raw[kind];
  return (data.dataPoints ?? []).map((point: Raw) => ({
    signal: 'metrics',
    name: raw.name,
    unit: raw.unit ?? '',
    description: raw.description ?? '',
    kind,
    temporality: Number(data.aggregationTemporality ?? 0),
    monotonic: data.isMonotonic ?? false,
    attributes: attributes(point.attributes),
    startTimeMs: ms(point.startTimeUnixNano),
    timeMs: ms(point.timeUnixNano),
    valueType: point.asInt !== undefined ? 'int' : point.asDouble !== undefined ? 'double' : 'none',
    value: Number(point.asInt ?? point.asDouble ?? point.sum ?? Number.NaN),
    flags: Number(point.flags ?? 0),
    count: Number(point.count ?? 0),
    bucketCounts: (point.bucketCounts ?? []).map(Number),
    bounds: point.explicitBounds ?? [],
    ...common,
  }));
}

function attributes(list: Raw[] = []): Attributes {
  return Object.fromEntries(list.map(({ key, value }) => [key, anyValue(value)]));
}

function anyValue(any: Raw): Plain {
  if (any === undefined || any === null) return null;
  if (any.stringValue !== undefined) return any.stringValue;
  if (any.boolValue !== undefined) return any.boolValue;
  if (any.intValue !== undefined) return Number(any.intValue);
  if (any.doubleValue !== undefined) return Number(any.doubleValue);
  if (any.arrayValue !== undefined) return (any.arrayValue.values ?? []).map(anyValue);
  if (any.kvlistValue !== undefined) return attributes(any.kvlistValue.values);
  return null;
}

/** Bytes (protobuf) or hex digits (JSON) to hex digits. */
function id(raw: Uint8Array | string | undefined): string {
  return typeof raw === 'string' ? raw : Buffer.from(raw ?? []).toString('hex');
}

function ms(nanos: string | number | undefined): number {
  const whole = BigInt(nanos ?? 0);
  return Number(whole / 1_000_000n) + Number(whole % 1_000_000n) / 1e6;
}
