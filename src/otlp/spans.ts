import type { Attributes, SpanContext, SpanStatus, TraceState } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import type { ScopeData, SpanAttributes, SpanData, SpanLinkData } from '../model/span.ts';
import { hrTime } from './hr-time.ts';

const NO_EVENTS: ReadableSpan['events'] = [];
const NO_LINKS: ReadableSpan['links'] = [];

/** Gives equal scopes one identity, by which the serializer groups. Bounded: beyond `limit` scopes it starts anew. */
export class Scopes {
  readonly #known = new Map<string, ScopeData>();
  readonly #limit: number;

  constructor(limit = 1000) {
    this.#limit = limit;
  }

  get(scope: ScopeData): ReadableSpan['instrumentationScope'] {
    const key = `${scope.name}\n${scope.version ?? ''}`;
    let known = this.#known.get(key);
    if (known === undefined) {
      if (this.#known.size >= this.#limit) this.#known.clear();
      known = { name: scope.name, ...(scope.version !== undefined && { version: scope.version }) };
      this.#known.set(key, known);
    }
    return known as ReadableSpan['instrumentationScope'];
  }
}

/** A span as the OTLP serializers read it. Shares attributes with `data`, so `data` must not change afterwards. */
export function spanFromRecord(data: SpanData, resource: Resource, scopes: Scopes): ReadableSpan {
  const context = spanContext(data, data.traceState);
  const { events, links } = data;
  return {
    name: data.name,
    kind: data.kind,
    spanContext: () => context,
    ...(data.parentSpanId !== undefined &&
      data.parentSpanId !== '' && {
        parentSpanContext: {
          traceId: data.traceId,
          spanId: data.parentSpanId,
          traceFlags: data.traceFlags,
          isRemote: data.parentIsRemote === true,
        },
      }),
    startTime: hrTime(data.startTimeMs),
    endTime: hrTime(data.endTimeMs),
    duration: hrTime(data.endTimeMs - data.startTimeMs),
    ended: true,
    status: data.status as SpanStatus,
    attributes: attributesOf(data.attributes),
    events:
      events.length === 0
        ? NO_EVENTS
        : events.map(({ name, timeMs, attributes }) => ({
            name,
            time: hrTime(timeMs),
            attributes: attributesOf(attributes),
          })),
    links: links.length === 0 ? NO_LINKS : links.map(linkOf),
    resource,
    instrumentationScope: scopes.get(data.scope),
    droppedAttributesCount: data.droppedAttributes ?? 0,
    droppedEventsCount: data.droppedEvents ?? 0,
    droppedLinksCount: data.droppedLinks ?? 0,
  };
}

/** The API declares mutable arrays where it only reads. */
export function attributesOf(attributes: SpanAttributes | undefined): Attributes {
  return (attributes ?? {}) as Attributes;
}

function linkOf(link: SpanLinkData): ReadableSpan['links'][number] {
  return { context: spanContext(link, undefined), attributes: attributesOf(link.attributes) };
}

function spanContext(ids: SpanLinkData | SpanData, traceState: string | undefined): SpanContext {
  const { traceId, spanId, traceFlags } = ids;
  if (traceState === undefined || traceState === '') return { traceId, spanId, traceFlags };
  const state = { serialize: () => traceState } as TraceState;
  return { traceId, spanId, traceFlags, traceState: state };
}
