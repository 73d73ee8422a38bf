import { AsyncLocalStorage } from 'node:async_hooks';
import type {
  Context,
  ContextManager,
  Span,
  TextMapGetter,
  TextMapPropagator,
  TextMapSetter,
} from '@opentelemetry/api';

/**
 * The key under which every copy of @opentelemetry/api keeps the active span (`createContextKey` is `Symbol.for`, so
 * that copies understand each other).
 */
const SPAN_KEY = Symbol.for('OpenTelemetry Context Key SPAN');

/** Where libraries say that nothing is to be traced, exporters for their own requests; `suppressTracing` of @opentelemetry/core. */
const SUPPRESS_KEY = Symbol.for('OpenTelemetry SDK Context Key SUPPRESS_TRACING');

export const INVALID = { traceId: '0'.repeat(32), spanId: '0'.repeat(16), traceFlags: 0 } as const;

/** An immutable context, as @opentelemetry/api means it. */
class LeanContext implements Context {
  readonly #values: ReadonlyMap<symbol, unknown>;

  constructor(values: ReadonlyMap<symbol, unknown>) {
    this.#values = values;
  }

  getValue(key: symbol): unknown {
    return this.#values.get(key);
  }

  setValue(key: symbol, value: unknown): Context {
    return new LeanContext(new Map(this.#values).set(key, value));
  }

  deleteValue(key: symbol): Context {
    const values = new Map(this.#values);
    values.delete(key);
    return new LeanContext(values);
  }
}

export const ROOT: Context = new LeanContext(new Map());

export function spanOf(context: Context): Span | undefined {
  return context.getValue(SPAN_KEY) as Span | undefined;
}

export function withSpan(context: Context, span: Span): Context {
  return context.setValue(SPAN_KEY, span);
}

export function isSuppressed(context: Context): boolean {
  return context.getValue(SUPPRESS_KEY) === true;
}

/** Whether both ids are there: some spans stand for none. */
export function isValid({ traceId, spanId }: { traceId: string; spanId: string }): boolean {
  return traceId !== INVALID.traceId && spanId !== INVALID.spanId;
}

/** The context manager that is used where the host has none. */
export class LeanContextManager implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(context, () => fn.apply(thisArg, args));
  }

  /** Functions are bound; anything else, event emitters included, is given back as it is. */
  bind<T>(context: Context, target: T): T {
    if (typeof target !== 'function') return target;
    const run = this.#storage.run.bind(this.#storage) as (store: Context, fn: () => unknown) => unknown;
    const bound = function (this: unknown, ...args: unknown[]): unknown {
      return run(context, () => target.apply(this, args));
    };
    Object.defineProperty(bound, 'length', { value: target.length });
    return bound as T;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.#storage.disable();
    return this;
  }
}

/** Trace context of another process: W3C Trace Context, `traceparent` version 00. */
export interface RemoteParent {
  traceId: string;
  spanId: string;
  traceFlags: number;
  traceState: string | undefined;
}

const TRACEPARENT = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(-.*)?$/;

/** Reads `traceparent`; undefined when it is absent or malformed. Source: www.w3.org/TR/trace-context. */
export function parseTraceparent(
  traceparent: string | undefined,
  traceState: string | undefined,
): RemoteParent | undefined {
  const match = traceparent === undefined ? null : TRACEPARENT.exec(traceparent);
  if (match === null) return undefined;
  const [, version, traceId, spanId, flags, more] = match as unknown as [string, ...string[]];
  // Only of versions to come there may be more.
  if (version === '00' && more !== undefined) return undefined;
  return { traceId: traceId!, spanId: spanId!, traceFlags: Number.parseInt(flags!, 16), traceState };
}

/** W3C Trace Context for libraries that inject or extract through the API while our provider serves. */
export class LeanPropagator implements TextMapPropagator {
  readonly #nonRecording: (parent: RemoteParent) => Span;

  constructor(nonRecording: (parent: RemoteParent) => Span) {
    this.#nonRecording = nonRecording;
  }

  inject(context: Context, carrier: unknown, setter: TextMapSetter): void {
    const span = spanOf(context)?.spanContext();
    if (span === undefined || isSuppressed(context) || !isValid(span)) return;
    const flags = span.traceFlags.toString(16).padStart(2, '0');
    setter.set(carrier, 'traceparent', `00-${span.traceId}-${span.spanId}-${flags}`);
    if (span.traceState !== undefined) setter.set(carrier, 'tracestate', span.traceState.serialize());
  }

  extract(context: Context, carrier: unknown, getter: TextMapGetter): Context {
    const traceparent = getter.get(carrier, 'traceparent');
    const tracestate = getter.get(carrier, 'tracestate');
    const parent = parseTraceparent(
      Array.isArray(traceparent) ? traceparent[0] : traceparent,
      Array.isArray(tracestate) ? tracestate.join(',') : tracestate,
    );
    return parent === undefined ? context : withSpan(context, this.#nonRecording(parent));
  }

  fields(): string[] {
    return ['traceparent', 'tracestate'];
  }
}
