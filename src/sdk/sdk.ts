import type { Context, Span, SpanContext, Tracer, TracerProvider } from '@opentelemetry/api';
import type { RunExtra } from '../bridge/protocol.ts';
import { type RunUsage, startAttributes, usageAttributes } from '../model/run-attributes.ts';
import {
  isValid,
  LeanContextManager,
  LeanPropagator,
  parseTraceparent,
  type RemoteParent,
  ROOT,
  spanOf,
  withSpan,
} from './context.ts';
import { type EndedSpan, isSampled, LeanTracerProvider, plainLink, type SamplerOptions } from './provider.ts';
import { type ApiModule, apiGlobals, Registration } from './registration.ts';
import { exceptionAttributes, LeanSpan, randomIds, SPAN_KIND, STATUS } from './span.ts';

/** What a run tells its span at the start. */
export interface SpanInfo {
  framework: string;
  queue: string;
  task: string;
  jobId: string;
  attempt: number;
  carrier: Readonly<Record<string, string>> | undefined;
  /** True when the queue library makes the consumer span itself. */
  ownSpan: boolean;
}

export interface SpanScope {
  readonly trace: string;
  readonly exportSpan: boolean;
  /** Undefined where nobody can ask for the span. */
  readonly enter: (<T>(call: () => T) => T) | undefined;
  end(usage: RunUsage, failure: { error: unknown } | undefined): RunExtra | undefined;
}

export interface SdkOptions {
  readonly version: string;
  /** False when no spans are wanted: OTEL_TRACES_EXPORTER=none and no SDK of the host's. */
  readonly spans: boolean;
  readonly sampler: SamplerOptions;
  /** How the run's span relates to the producer's: a link (the messaging conventions' default) or its child. */
  readonly producer: 'link' | 'parent';
  readonly onSpan: (span: EndedSpan) => void;
  /** The host's SDK has recorded no span of the first {@link MANY_RUNS} runs. */
  readonly onUnrecorded?: () => void;
}

/** Of which a sampler that records any at all has recorded one, as a rule. */
export const MANY_RUNS = 1000;

/**
 * The span side of runs. Where the host runs an OpenTelemetry SDK, its provider makes and exports the spans. Where it does
 * not, ours does; it registers itself in the host's copy of the API, if there is one, only when the first run begins, and makes
 * way when the host starts an SDK after that.
 */
export class Sdk {
  readonly #options: SdkOptions;
  readonly #contexts = new LeanContextManager();
  readonly #provider: LeanTracerProvider;
  readonly #apis: ApiModule[] = [];
  readonly #registration: Registration;
  #mode: 'undecided' | 'own' | 'host' = 'undecided';
  #hostTracer: Tracer | undefined;
  /** Runs so far, until the host's SDK records a span of one. */
  #unrecorded = 0;

  constructor(options: SdkOptions) {
    this.#options = options;
    this.#provider = new LeanTracerProvider(this.#contexts, options.sampler, options.onSpan);
    const propagation = new LeanPropagator(nonRecording);
    this.#registration = new Registration(
      { trace: this.#provider, context: this.#contexts, propagation },
      (provider) => this.#useHost(provider),
    );
  }

  /** Called for each copy of @opentelemetry/api that the host loads. */
  apiLoaded(api: ApiModule): void {
    this.#apis.push(api);
    if (this.#mode === 'own' && this.#options.spans) this.#registration.add(api);
  }

  /** Settles who provides spans, for libraries that make a span of their own around a run; a run's begin does it otherwise. */
  prepare(): void {
    if (this.#mode === 'undecided') this.#decide();
    else if (this.#mode === 'own' && !this.#registration.serving) {
      // Nobody tells us of an SDK where we do not serve.
      const { trace } = apiGlobals() ?? {};
      if (trace !== undefined) this.#useHost(trace);
    }
  }

  open(info: SpanInfo): SpanScope {
    this.prepare();
    if (this.#mode === 'host') return this.#openInHost(info);
    return this.#options.spans ? this.#openOwn(info) : NO_SPAN;
  }

  #decide(): void {
    const { trace } = apiGlobals() ?? {};
    if (trace !== undefined) {
      this.#useHost(trace);
      return;
    }
    this.#mode = 'own';
    if (this.#options.spans) for (const api of this.#apis) this.#registration.add(api);
  }

  #useHost(provider: TracerProvider): void {
    this.#mode = 'host';
    this.#provider.handOver(provider);
    this.#hostTracer = provider.getTracer('taskwarden', this.#options.version);
  }

  #openInHost(info: SpanInfo): SpanScope {
    const globals = apiGlobals();
    const contexts = globals?.context ?? this.#contexts;
    const active = contexts.active();
    if (info.ownSpan) return scopeOfActive(active, info);
    const remote = parseTraceparent(info.carrier?.traceparent, info.carrier?.tracestate);
    const asParent = remote !== undefined && this.#options.producer === 'parent';
    const parent = asParent ? withSpan(active, nonRecording(remote)) : active;
    const span = this.#hostTracer?.startSpan(
      `process ${info.queue}`,
      {
        kind: SPAN_KIND.CONSUMER,
        attributes: startAttributes(info),
        links: remote === undefined || asParent ? [] : [{ context: nonRecording(remote).spanContext() }],
      },
      parent,
    );
    if (span === undefined) return NO_SPAN;
    this.#noteRecording(span);
    const context = withSpan(parent, span);
    return new HostScope(
      span,
      (call) => contexts.with(context, call),
      () => span.end(),
    );
  }

  /** What its sampler decides is the host's business, but an SDK that is there for something else may record nothing ever. */
  #noteRecording(span: Span): void {
    if (this.#unrecorded >= MANY_RUNS) return;
    this.#unrecorded = span.isRecording() ? MANY_RUNS : this.#unrecorded + 1;
    if (this.#unrecorded === MANY_RUNS && !span.isRecording()) this.#options.onUnrecorded?.();
  }

  #openOwn(info: SpanInfo): SpanScope {
    if (info.ownSpan) return scopeOfActive(this.#contexts.active(), info);
    const remote = parseTraceparent(info.carrier?.traceparent, info.carrier?.tracestate);
    const asParent = this.#options.producer === 'parent';
    const relation = { parent: asParent ? remote : undefined, link: asParent ? undefined : remote };
    const ids = randomIds();
    const trace = relation.parent === undefined ? ids : relation.parent.traceId + ids.slice(32);
    const sampled = isSampled(this.#options.sampler, trace, relation.parent);
    // Without a copy of the API in the process nobody can ask for the active span.
    if (this.#apis.length === 0) return new OwnScope(trace, sampled, relation, undefined, undefined);
    const span = new LeanSpan(
      {
        traceId: trace.slice(0, 32),
        spanId: trace.slice(32),
        traceFlags: sampled ? 1 : 0,
        traceState: relation.parent?.traceState,
      },
      sampled ? () => {} : undefined,
    );
    return new OwnScope(trace, sampled, relation, span, this.#contexts);
  }
}

const NO_SPAN: SpanScope = {
  trace: '',
  exportSpan: false,
  enter: undefined,
  end: (_usage, failure) => (failure === undefined ? undefined : { error: plainError(failure.error) }),
};

/** How a run's span relates to its producer's. */
interface Relation {
  readonly parent: RemoteParent | undefined;
  readonly link: RemoteParent | undefined;
}

/** A run whose span the agent makes from the run's record. */
class OwnScope implements SpanScope {
  readonly trace: string;
  readonly exportSpan: boolean;
  readonly #relation: Relation;
  readonly enter: SpanScope['enter'];
  readonly #span: LeanSpan | undefined;

  /** @param span what the application finds as the active span, where it can look for it */
  constructor(
    trace: string,
    sampled: boolean,
    relation: Relation,
    span: LeanSpan | undefined,
    contexts: LeanContextManager | undefined,
  ) {
    this.trace = sampled ? trace : '';
    this.exportSpan = sampled;
    this.#relation = relation;
    this.#span = span;
    const context = span === undefined ? undefined : withSpan(ROOT, span);
    this.enter = context && ((call) => contexts!.with(context, call));
  }

  end(_usage: RunUsage, failure: { error: unknown } | undefined): RunExtra | undefined {
    const { parent, link } = this.#relation;
    if (failure === undefined && parent === undefined && link === undefined && this.#span === undefined) {
      return undefined;
    }
    const extra: RunExtra = {};
    if (failure !== undefined) extra.error = plainError(failure.error);
    if (parent !== undefined) extra.parentSpanId = parent.spanId;
    if (parent?.traceState !== undefined) extra.traceState = parent.traceState;
    if (link !== undefined) extra.links = [link];
    if (this.#span !== undefined) addWhatWasSet(extra, this.#span);
    for (const _ in extra) return extra;
    return undefined;
  }
}

/** What the application or a library has set on a run's span. */
function addWhatWasSet(extra: RunExtra, span: LeanSpan): void {
  span.end();
  const { attributes, events, links, name, status } = span;
  if (links !== undefined) extra.links = [...(extra.links ?? []), ...links.map(plainLink)];
  if (attributes !== undefined) extra.attributes = attributes;
  if (events !== undefined) extra.events = events;
  if (name !== undefined) extra.name = name;
  if (status.message !== undefined) extra.statusMessage = status.message;
}

/** A run within a consumer span of its library's: that one gets what ours would have. */
function scopeOfActive(context: Context, info: SpanInfo): SpanScope {
  const span = spanOf(context);
  if (span?.isRecording() !== true) return NO_SPAN;
  span.setAttributes(startAttributes(info));
  return new HostScope(span, undefined, undefined);
}

/** A run whose span the host's SDK makes and exports. */
class HostScope implements SpanScope {
  readonly trace: string;
  readonly exportSpan: boolean = false;
  readonly #span: Span | undefined;
  readonly enter: SpanScope['enter'];
  readonly #end: (() => void) | undefined;

  /** @param enter absent when the span is active already, @param end absent when another ends it */
  constructor(span: Span | undefined, enter: SpanScope['enter'], end: (() => void) | undefined) {
    const context = span?.spanContext();
    this.trace = context !== undefined && isExported(context) ? context.traceId + context.spanId : '';
    this.#span = span;
    this.enter = enter;
    this.#end = end;
  }

  end(usage: RunUsage, failure: { error: unknown } | undefined): RunExtra | undefined {
    const error = failure === undefined ? undefined : plainError(failure.error);
    try {
      this.#span?.setAttributes(usageAttributes(usage));
      if (error !== undefined) {
        this.#span?.setAttribute('error.type', error.type);
        this.#span?.recordException(failure!.error instanceof Error ? failure!.error : error.message);
        this.#span?.setStatus({ code: STATUS.ERROR, message: error.message });
      }
    } finally {
      this.#end?.();
    }
    return error === undefined ? undefined : { error };
  }
}

/** Whether somebody who follows the ids will find a span. */
function isExported(context: SpanContext): boolean {
  return isValid(context) && (context.traceFlags & 1) === 1;
}

function nonRecording(parent: RemoteParent): Span {
  return new LeanSpan({ ...parent, isRemote: true }, undefined);
}

/** Name, message and stack of whatever was thrown, with lengths bounded. Nothing about it need be what it seems: any part may throw. */
function plainError(error: unknown): NonNullable<RunExtra['error']> {
  try {
    const attributes = exceptionAttributes(error instanceof Error ? error : String(error));
    const name = error instanceof Error ? String(error.name) : UNNAMED;
    const plain: NonNullable<RunExtra['error']> = {
      type: name.slice(0, 128),
      message: (attributes['exception.message'] ?? '').slice(0, 1024),
    };
    if (attributes['exception.stacktrace'] !== undefined)
      plain.stack = attributes['exception.stacktrace'].slice(0, 4096);
    return plain;
  } catch {
    return { type: UNNAMED, message: '' };
  }
}

/** The convention's own value of `error.type`. */
const UNNAMED = '_OTHER';
