/** A value that a span or log attribute may have. */
export type AttributeValue = string | number | boolean | readonly (string | number | boolean | null)[];

export type SpanAttributes = Readonly<Record<string, AttributeValue | null | undefined>>;

export interface SpanEventData {
  readonly name: string;
  readonly timeMs: number;
  readonly attributes?: SpanAttributes | undefined;
}

export interface SpanLinkData {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
  readonly attributes?: SpanAttributes | undefined;
}

export interface ScopeData {
  readonly name: string;
  readonly version?: string | undefined;
}

/** An ended span as plain data, so that it can cross between threads. Times in ms since the Unix epoch, with fractions. */
export interface SpanData {
  /** 32 and 16 lowercase hex digits. */
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string | undefined;
  /** Whether the parent is in another process; unknown counts as no. */
  readonly parentIsRemote?: boolean | undefined;
  /** Header `tracestate` as it came. */
  readonly traceState?: string | undefined;
  readonly traceFlags: number;
  readonly name: string;
  /** As in the API: internal 0, server 1, client 2, producer 3, consumer 4. */
  readonly kind: number;
  readonly startTimeMs: number;
  readonly endTimeMs: number;
  readonly attributes: SpanAttributes;
  readonly events: readonly SpanEventData[];
  readonly links: readonly SpanLinkData[];
  /** Code as in the API: unset 0, ok 1, error 2. */
  readonly status: { readonly code: number; readonly message?: string | undefined };
  readonly scope: ScopeData;
  readonly droppedAttributes?: number | undefined;
  readonly droppedEvents?: number | undefined;
  readonly droppedLinks?: number | undefined;
}
