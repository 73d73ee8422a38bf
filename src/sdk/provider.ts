import type {
  Attributes,
  Context,
  Span,
  SpanContext,
  SpanOptions,
  Tracer,
  TracerProvider,
} from '@opentelemetry/api';
import {
  INVALID,
  isSuppressed,
  isValid,
  type LeanContextManager,
  type RemoteParent,
  spanOf,
  withSpan,
} from './context.ts';
import { epochMs, LeanSpan, randomIds, SPAN_KIND } from './span.ts';

/** A sampler of the OpenTelemetry specification by the name it has in OTEL_TRACES_SAMPLER. */
export interface SamplerOptions {
  readonly name: string;
  /** Share of traces for the ratio samplers, 0 to 1. */
  readonly ratio: number;
}

/** A span of the application or of a library as it crosses to the agent thread. */
export interface EndedSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  parentIsRemote: boolean;
  traceState: string | undefined;
  traceFlags: number;
  name: string;
  kind: number;
  startTimeMs: number;
  endTimeMs: number;
  attributes: Attributes;
  events: object[];
  links: object[];
  status: object;
  droppedAttributes?: number;
  droppedEvents?: number;
  droppedLinks?: number;
  scope: { name: string; version: string | undefined };
}

export type Parent = SpanContext | RemoteParent;

/** Whether a new trace, or one with this parent, is sampled. */
export function isSampled(sampler: SamplerOptions, traceId: string, parent: Parent | undefined): boolean {
  const parentBased = sampler.name.startsWith('parentbased_');
  if (parentBased && parent !== undefined) return (parent.traceFlags & 1) === 1;
  const root = parentBased ? sampler.name.slice('parentbased_'.length) : sampler.name;
  if (root === 'always_off') return false;
  if (root !== 'traceidratio') return true;
  return ratioSampled(traceId, sampler.ratio);
}

/** The JavaScript SDK's TraceIdRatioBasedSampler: the four words of the trace id, XORed, against the ratio of 2^32. */
function ratioSampled(traceId: string, ratio: number): boolean {
  let accumulated = 0;
  for (let at = 0; at < 32; at += 8) accumulated ^= Number.parseInt(traceId.slice(at, at + 8), 16);
  return ratio >= 1 || accumulated >>> 0 < Math.floor(Math.max(0, ratio) * 0xffffffff);
}

/** Tracer provider for hosts without an SDK of their own: samples, gathers, and hands ended spans to the agent thread. */
export class LeanTracerProvider implements TracerProvider {
  readonly #contexts: LeanContextManager;
  readonly #sampler: SamplerOptions;
  readonly #export: (span: EndedSpan) => void;
  #successor: TracerProvider | undefined;

  constructor(contexts: LeanContextManager, sampler: SamplerOptions, onEnd: (span: EndedSpan) => void) {
    this.#contexts = contexts;
    this.#sampler = sampler;
    this.#export = onEnd;
  }

  /** Has another provider make the spans from now on. Whoever got a tracer here keeps it, and would miss the other. */
  handOver(successor: TracerProvider): void {
    this.#successor = successor;
  }

  getTracer(name: string, version?: string, tracerOptions?: { schemaUrl?: string }): Tracer {
    let succeeding: Tracer | undefined;
    const successor = (): Tracer | undefined => {
      succeeding ??= this.#successor?.getTracer(name, version, tracerOptions);
      return succeeding;
    };
    const startSpan = (spanName: string, options: SpanOptions = {}, context?: Context): Span =>
      successor()?.startSpan(spanName, options, context) ??
      this.#start({ name, version }, spanName, options, context ?? this.#contexts.active());
    const startActiveSpan = (spanName: string, ...rest: unknown[]): unknown => {
      const other = successor();
      if (other !== undefined)
        return (other.startActiveSpan as (...all: unknown[]) => unknown)(spanName, ...rest);
      const fn = rest.pop() as (span: Span) => unknown;
      const [options, given] = rest as [SpanOptions | undefined, Context | undefined];
      const context = given ?? this.#contexts.active();
      const span = startSpan(spanName, options, context);
      return this.#contexts.with(withSpan(context, span), () => fn(span));
    };
    return { startSpan, startActiveSpan: startActiveSpan as Tracer['startActiveSpan'] };
  }

  #start(scope: EndedSpan['scope'], name: string, options: SpanOptions, context: Context): Span {
    if (isSuppressed(context)) return new LeanSpan(INVALID, undefined);
    const active = options.root === true ? undefined : spanOf(context)?.spanContext();
    const parent = active !== undefined && isValid(active) ? active : undefined;
    const ids = randomIds();
    const traceId = parent?.traceId ?? ids.slice(0, 32);
    const spanId = ids.slice(32);
    const traceState = parent?.traceState === undefined ? undefined : String(serialize(parent.traceState));
    if (!isSampled(this.#sampler, traceId, parent)) {
      return new LeanSpan({ traceId, spanId, traceFlags: 0, traceState }, undefined);
    }
    const startTimeMs = epochMs(options.startTime);
    const span = new LeanSpan({ traceId, spanId, traceFlags: 1, traceState }, (ended, endTimeMs) =>
      this.#export({
        traceId,
        spanId,
        parentSpanId: parent?.spanId,
        parentIsRemote: parent?.isRemote === true,
        traceState,
        traceFlags: 1,
        name: ended.name ?? name,
        kind: options.kind ?? SPAN_KIND.INTERNAL,
        startTimeMs,
        endTimeMs: Math.max(startTimeMs, endTimeMs),
        attributes: ended.attributes ?? {},
        events: ended.events ?? [],
        links: (ended.links ?? []).map(plainLink),
        status: ended.status,
        scope,
        ...dropped(ended),
      }),
    );
    if (options.attributes !== undefined) span.setAttributes(options.attributes);
    if (options.links !== undefined) span.addLinks(options.links);
    return span;
  }
}

/** What was over the limits, where anything was. */
function dropped({ droppedAttributes, droppedEvents, droppedLinks }: LeanSpan): Partial<EndedSpan> {
  return droppedAttributes + droppedEvents + droppedLinks === 0
    ? {}
    : { droppedAttributes, droppedEvents, droppedLinks };
}

export function plainLink(link: { context: SpanContext; attributes?: Attributes }): {
  traceId: string;
  spanId: string;
  traceFlags: number;
  attributes: Attributes;
} {
  const { traceId, spanId, traceFlags } = link.context;
  return { traceId, spanId, traceFlags, attributes: link.attributes ?? {} };
}

function serialize(traceState: string | { serialize(): string }): string {
  return typeof traceState === 'string' ? traceState : traceState.serialize();
}
