import { randomFillSync } from 'node:crypto';
import type {
  Attributes,
  AttributeValue,
  Exception,
  Link,
  Span,
  SpanContext,
  SpanStatus,
  TimeInput,
  TraceState,
} from '@opentelemetry/api';

/** OpenTelemetry's default limits for one span. */
const LIMITS = { attributes: 128, events: 128, links: 128 } as const;

export const SPAN_KIND = { INTERNAL: 0, SERVER: 1, CLIENT: 2, PRODUCER: 3, CONSUMER: 4 } as const;
export const STATUS = { UNSET: 0, OK: 1, ERROR: 2 } as const;

/** An event of a span, times in ms since the Unix epoch. */
export interface SpanEvent {
  name: string;
  timeMs: number;
  attributes?: Record<string, unknown>;
}

const pool = Buffer.alloc(24 * 256);
let used = pool.length;

/** 48 random hex digits: a trace id and a span id. */
export function randomIds(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += 24;
  return pool.toString('hex', used - 24, used);
}

/** Milliseconds since the Unix epoch of any time that the API accepts. */
export function epochMs(time: TimeInput | undefined): number {
  if (time === undefined) return performance.timeOrigin + performance.now();
  if (Array.isArray(time)) return time[0] * 1000 + time[1] / 1e6;
  if (time instanceof Date) return time.getTime();
  // The API also takes performance.now(), which is smaller than any date.
  return time < performance.timeOrigin ? performance.timeOrigin + time : time;
}

/** A span of the lean provider: it gathers what is set on it, and hands itself over at its end. */
export class LeanSpan implements Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
  readonly traceState: string | undefined;
  readonly #onEnd: ((span: LeanSpan, endMs: number) => void) | undefined;
  attributes: Record<string, AttributeValue> | undefined;
  events: SpanEvent[] | undefined;
  links: Link[] | undefined;
  status: SpanStatus = { code: STATUS.UNSET };
  name: string | undefined;
  #ended = false;

  /** @param onEnd called once at the end; undefined makes a span that does not record */
  constructor(
    ids: { traceId: string; spanId: string; traceFlags: number; traceState?: string | undefined },
    onEnd: ((span: LeanSpan, endMs: number) => void) | undefined,
  ) {
    this.traceId = ids.traceId;
    this.spanId = ids.spanId;
    this.traceFlags = ids.traceFlags;
    this.traceState = ids.traceState;
    this.#onEnd = onEnd;
  }

  spanContext(): SpanContext {
    const { traceId, spanId, traceFlags } = this;
    if (this.traceState === undefined) return { traceId, spanId, traceFlags };
    return { traceId, spanId, traceFlags, traceState: opaqueTraceState(this.traceState) };
  }

  isRecording(): boolean {
    return this.#onEnd !== undefined && !this.#ended;
  }

  setAttribute(key: string, value: AttributeValue): this {
    if (!this.isRecording() || value === undefined || value === null) return this;
    this.attributes ??= {};
    if (key in this.attributes || Object.keys(this.attributes).length < LIMITS.attributes) {
      this.attributes[key] = value;
    }
    return this;
  }

  setAttributes(attributes: Attributes): this {
    for (const [key, value] of Object.entries(attributes))
      if (value !== undefined) this.setAttribute(key, value);
    return this;
  }

  addEvent(name: string, attributesOrTime?: Attributes | TimeInput, time?: TimeInput): this {
    if (!this.isRecording()) return this;
    const timed = isTime(attributesOrTime);
    const event: SpanEvent = { name, timeMs: epochMs(timed ? attributesOrTime : time) };
    if (!timed && attributesOrTime !== undefined) event.attributes = { ...attributesOrTime };
    this.events ??= [];
    if (this.events.length < LIMITS.events) this.events.push(event);
    return this;
  }

  addLink(link: Link): this {
    return this.addLinks([link]);
  }

  addLinks(links: Link[]): this {
    if (!this.isRecording()) return this;
    this.links ??= [];
    this.links.push(...links.slice(0, LIMITS.links - this.links.length));
    return this;
  }

  setStatus(status: SpanStatus): this {
    if (this.isRecording()) this.status = { ...status };
    return this;
  }

  updateName(name: string): this {
    if (this.isRecording()) this.name = name;
    return this;
  }

  recordException(exception: Exception, time?: TimeInput): void {
    this.addEvent('exception', exceptionAttributes(exception), time);
  }

  end(time?: TimeInput): void {
    if (!this.isRecording()) return;
    this.#ended = true;
    this.#onEnd?.(this, epochMs(time));
  }
}

/** What the messaging and exception conventions call an error. */
export function exceptionAttributes(exception: unknown): Record<string, string> {
  if (typeof exception === 'string') return { 'exception.message': exception };
  const { name, code, message, stack } = Object(exception) as Record<string, unknown>;
  const attributes: Record<string, string> = {};
  const type = code ?? name;
  if (type !== undefined) attributes['exception.type'] = String(type);
  if (message !== undefined) attributes['exception.message'] = String(message);
  if (stack !== undefined) attributes['exception.stacktrace'] = String(stack);
  return attributes;
}

function isTime(value: Attributes | TimeInput | undefined): value is TimeInput {
  return typeof value === 'number' || Array.isArray(value) || value instanceof Date;
}

/** A trace state that is passed on as it came. */
function opaqueTraceState(serialized: string): TraceState {
  const state: TraceState = {
    get: (key) =>
      serialized
        .split(',')
        .find((entry) => entry.trim().startsWith(`${key}=`))
        ?.trim()
        .slice(key.length + 1),
    set: () => state,
    unset: () => state,
    serialize: () => serialized,
  };
  return state;
}
