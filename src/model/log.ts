import type { SpanAttributes } from './span.ts';

/** A log record as plain data, shaped by OpenTelemetry's log data model. Times in ms since the Unix epoch. */
export interface LogData {
  /** When it happened. */
  readonly timeMs: number;
  /** When we learnt of it. */
  readonly observedTimeMs: number;
  /** 9 info, 13 warning, 17 error, 21 fatal. */
  readonly severityNumber: number;
  readonly severityText: string;
  readonly eventName: string;
  readonly body: string;
  readonly attributes: SpanAttributes;
  /** 32 and 16 lowercase hex digits, or left out, or empty. */
  readonly traceId?: string | undefined;
  readonly spanId?: string | undefined;
}
