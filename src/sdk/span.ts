import { randomFillSync } from 'node:crypto';
import { performance } from 'node:perf_hooks';
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
import { threadMs } from '../model/clock.ts';
import { isAttributeValue, validAttributes } from './attributes.ts';

/** OpenTelemetry's default limits for one span, and for one event or link. */
const LIMITS = { attributes: 128, events: 128, links: 128, attributesOfPart: 128 } as const;

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
  if (time === undefined) return performance.timeOrigin + threadMs();
  if (Array.isArray(time)) return time[0] * 1000 + time[1] / 1e6;
  if (time instanceof Date) return time.getTime();
  // The API also takes times of performance.now(); any other is a date, which may be long past.
  return time <= threadMs() ? performance.timeOrigin + time : time;
}

/** A span of the lean provider: it gathers what is set on it, and hands itself over at its end. */
export class LeanSpan implements Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
  readonly traceState: string | undefined;
  readonly #isRemote: boolean;
  readonly #onEnd: ((span: LeanSpan, endMs: number) => void) | undefined;
  attributes: Record<string, AttributeValue> | undefined;
  events: SpanEvent[] | undefined;
  links: Link[] | undefined;
  status: SpanStatus = { code: STATUS.UNSET };
  name: string | undefined;
  /** How many of each were over the limit. */
  droppedAttributes = 0;
  droppedEvents = 0;
  droppedLinks = 0;
  #attributeCount = 0;
  #ended = false;

  /** @param onEnd called once at the end; undefined makes a span that does not record */
  constructor(
    ids: {
      traceId: string;
      spanId: string;
      traceFlags: number;
      traceState?: string | undefined;
      /** Stands for a span of another process. */
      isRemote?: boolean;
    },
    onEnd: ((span: LeanSpan, endMs: number) => void) | undefined,
  ) {
    this.traceId = ids.traceId;
    this.spanId = ids.spanId;
    this.traceFlags = ids.traceFlags;
    this.traceState = ids.traceState;
    this.#isRemote = ids.isRemote === true;
    this.#onEnd = onEnd;
  }

  spanContext(): SpanContext {
    const { traceId, spanId, traceFlags } = this;
    const context: SpanContext = { traceId, spanId, traceFlags };
    if (this.#isRemote) context.isRemote = true;
    if (this.traceState !== undefined) context.traceState = opaqueTraceState(this.traceState);
    return context;
  }

  isRecording(): boolean {
    return this.#onEnd !== undefined && !this.#ended;
  }

  setAttribute(key: string, value: AttributeValue): this {
    if (!this.isRecording() || key === '' || !isAttributeValue(value)) return this;
    this.attributes ??= {};
    const isNew = !Object.hasOwn(this.attributes, key);
    if (isNew && this.#attributeCount === LIMITS.attributes) {
      this.droppedAttributes++;
      return this;
    }
    if (isNew) this.#attributeCount++;
    this.attributes[key] = value;
    return this;
  }

  setAttributes(attributes: Attributes): this {
    for (const [key, value] of Object.entries(attributes)) this.setAttribute(key, value as AttributeValue);
    return this;
  }

  /** Over the limit the oldest event makes room, as in the JavaScript SDK; links likewise. */
  addEvent(name: string, attributesOrTime?: Attributes | TimeInput, time?: TimeInput): this {
    if (!this.isRecording()) return this;
    const timed = isTime(attributesOrTime);
    const event: SpanEvent = { name, timeMs: epochMs(time ?? (timed ? attributesOrTime : undefined)) };
    if (!timed && attributesOrTime !== undefined) {
      event.attributes = validAttributes(attributesOrTime, LIMITS.attributesOfPart);
    }
    this.events ??= [];
    if (this.events.length === LIMITS.events) {
      this.events.shift();
      this.droppedEvents++;
    }
    this.events.push(event);
    return this;
  }

  addLink({ context, attributes }: Link): this {
    if (!this.isRecording()) return this;
    this.links ??= [];
    if (this.links.length === LIMITS.links) {
      this.links.shift();
      this.droppedLinks++;
    }
    this.links.push({ context, attributes: validAttributes(attributes, LIMITS.attributesOfPart) });
    return this;
  }

  addLinks(links: Link[]): this {
    for (const link of links) this.addLink(link);
    return this;
  }

  /** By the specification OK is final, UNSET changes nothing, and only an error has a message. */
  setStatus({ code, message }: SpanStatus): this {
    if (!this.isRecording() || code === STATUS.UNSET || this.status.code === STATUS.OK) return this;
    this.status = code === STATUS.ERROR && typeof message === 'string' ? { code, message } : { code };
    return this;
  }

  updateName(name: string): this {
    if (this.isRecording()) this.name = name;
    return this;
  }

  recordException(exception: Exception, time?: TimeInput): void {
    const attributes = exceptionAttributes(exception);
    if (attributes['exception.type'] === undefined && attributes['exception.message'] === undefined) return;
    this.addEvent('exception', attributes, time);
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
