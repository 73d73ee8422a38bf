import type { Exporter as ExporterName, Protocol, Signal } from '../config/otel.ts';
import type { LogData } from '../model/log.ts';
import { VERSION } from '../model/package.ts';
import type { SpanData } from '../model/span.ts';
import { type Connection, connect } from './connect.ts';
import { logLine, metricLines, printLine, spanLine } from './console.ts';
import { resourceMetrics } from './encoder.ts';
import { LatestSource } from './latest.ts';
import { logFromRecord } from './logs.ts';
import type { MetricsSnapshot } from './metrics.ts';
import { QueueSource, type Source } from './queue.ts';
import { type ResourceAttributes, resourceOf } from './resource.ts';
import { encodedEnvelope } from './run-spans.ts';
import { type DropReason, Sender } from './sender.ts';
import { Scopes, spanFromRecord } from './spans.ts';

export interface ExporterLimits {
  readonly spanQueue: number;
  /** Spans of a request. Bodies of twice the size stay in memory for longer: up to 17 MB at full speed. */
  readonly spanBatch: number;
  /** How long a span waits for others to go with, ms. */
  readonly spanDelayMs: number;
  readonly logQueue: number;
  readonly logBatch: number;
  /** First pause when the endpoint fails, ms. */
  readonly firstRetryMs: number;
  /** The same for logs, which carry the alerts. */
  readonly firstLogRetryMs: number;
  readonly maxRetryMs: number;
}

export const DEFAULT_LIMITS: ExporterLimits = {
  spanQueue: 16_384,
  spanBatch: 512,
  spanDelayMs: 1000,
  logQueue: 1024,
  logBatch: 128,
  firstRetryMs: 1000,
  firstLogRetryMs: 100,
  maxRetryMs: 30_000,
};

export interface ExporterOptions {
  /** Empty means `none`. */
  readonly exporters: Readonly<Record<Signal, readonly ExporterName[]>>;
  readonly protocols: Readonly<Record<Signal, Protocol>>;
  readonly resource: ResourceAttributes;
  readonly limits?: Partial<ExporterLimits>;
  /** `n` spans, log records or metric snapshots will not arrive. */
  readonly onDropped: (signal: Signal, reason: DropReason, n: number) => void;
  /** An export failed, for now or for good. */
  readonly onFailure: (signal: Signal, error: Error) => void;
  /** ms, any origin. */
  readonly now: () => number;
  /** Where the exporter `console` writes; standard output by default. */
  readonly print?: (line: string) => void;
}

/** Sends telemetry out of the agent thread. No method throws or rejects, and none waits except `flush` and `shutdown`. */
export interface Exporter {
  /**
   * Gets the road of alerts ready: code loaded, host looked up, connection open. Sends a logs request without records, which
   * receivers must accept (source: OTLP specification) and whose fate does not matter.
   */
  warm(): Promise<void>;
  /** Whether spans may be given as encoded messages: where protobuf is sent, and nothing is printed. */
  readonly takesEncodedSpans: boolean;
  /** Sent in batches. The span must not change afterwards. */
  span(span: SpanItem): void;
  /** Sent at once. */
  logs(records: readonly LogData[]): void;
  /** Sent at once; replaces a snapshot that is still waiting. */
  metrics(snapshot: MetricsSnapshot): void;
  /** Fulfils when everything is delivered or given up on, after `timeoutMs` at the latest. */
  flush(timeoutMs: number): Promise<void>;
  /** Gives up what waits; to be called after a flush. */
  shutdown(): Promise<void>;
}

/** A span, or its encoded message of OTLP. */
export type SpanItem = SpanData | Uint8Array;

const isEncoded = (item: SpanItem): item is Uint8Array => item instanceof Uint8Array;
const isPlain = (item: SpanItem): item is SpanData => !isEncoded(item);

const SCOPE = { name: 'taskwarden', version: VERSION };

/** Runs the serializer once, and goes nowhere. */
const SAMPLE: LogData = {
  timeMs: 0,
  observedTimeMs: 0,
  severityNumber: 9,
  severityText: 'INFO',
  eventName: 'warm',
  body: 'warm',
  attributes: { text: 'a', number: 0.5, list: ['a'] },
};

/** Endpoints, headers and the like come from the OTEL_EXPORTER_OTLP_* variables of this thread. */
export function createExporter(options: ExporterOptions): Exporter {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const resource = resourceOf(options.resource);
  const scopes = new Scopes();
  const senders: Sender[] = [];
  const connections = new Map<Signal, Promise<Connection>>();
  let closed = false;

  const uses = (signal: Signal, name: ExporterName): boolean => options.exporters[signal].includes(name);
  const callbacks = (signal: Signal) => ({
    onDropped: (reason: DropReason, n: number) => options.onDropped(signal, reason, n),
    onFailure: (error: Error) => options.onFailure(signal, error),
  });
  const sender = (
    signal: Signal,
    source: Source,
    maxInFlight: number,
    firstRetryMs: number,
  ): Sender | undefined => {
    if (!uses(signal, 'otlp')) return undefined;
    const connection = connect(signal, options.protocols[signal]);
    connections.set(signal, connection);
    const { maxRetryMs } = limits;
    const { now } = options;
    const made = new Sender({
      signal,
      source,
      connection,
      maxInFlight,
      firstRetryMs,
      maxRetryMs,
      now,
      ...callbacks(signal),
    });
    senders.push(made);
    return made;
  };
  const print = (signal: Signal, lines: () => string[]): void => {
    if (!uses(signal, 'console')) return;
    try {
      for (const line of lines()) (options.print ?? printLine)(line);
    } catch (error) {
      options.onFailure(signal, error as Error);
      options.onDropped(signal, 'queue_full', 1);
    }
  };

  const printsSpans = uses('traces', 'console');
  const printSpan = (span: SpanData): void => print('traces', () => [spanLine(span)]);

  const envelope = encodedEnvelope(options.resource, SCOPE);
  const spans = new QueueSource<SpanItem>({
    capacity: limits.spanQueue,
    minBatch: limits.spanBatch,
    maxBatch: limits.spanBatch,
    encode: (encoder, items) => {
      const encoded = items.filter(isEncoded);
      const others = items.filter(isPlain);
      const parts = encoded.length > 0 ? [envelope(encoded)] : [];
      if (others.length > 0)
        parts.push(encoder.spans(others.map((span) => spanFromRecord(span, resource, scopes))));
      return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    },
    ...callbacks('traces'),
  });
  const logs = new QueueSource<LogData>({
    capacity: limits.logQueue,
    minBatch: 1,
    maxBatch: limits.logBatch,
    encode: (encoder, items) => encoder.logs(items.map((record) => logFromRecord(record, resource, SCOPE))),
    ...callbacks('logs'),
  });
  const metrics = new LatestSource(
    (encoder, snapshot) =>
      encoder.metrics(snapshot, resourceMetrics(snapshot, resource, SCOPE), options.resource),
    callbacks('metrics').onFailure,
  );

  // Alerts first: a connection takes time to make ready.
  const logSender = sender('logs', logs, 2, limits.firstLogRetryMs);
  const spanSender = sender('traces', spans, 2, limits.firstRetryMs);
  const metricSender = sender('metrics', metrics, 1, limits.firstRetryMs);
  let spanTimer: NodeJS.Timeout | undefined;
  let isLogDue = false;

  return {
    takesEncodedSpans: options.protocols.traces !== 'http/json' && !printsSpans,
    async warm() {
      const connection = await connections.get('logs')?.catch(() => undefined);
      if (connection === undefined || closed) return;
      const { encoder, transport } = connection;
      encoder.logs([logFromRecord(SAMPLE, resource, SCOPE)]);
      await transport.send(encoder.logs([]), transport.timeoutMs);
    },
    // Thousands of times a second: nothing in here may make an object for each.
    span(item) {
      if (closed) return options.onDropped('traces', 'shutdown', 1);
      if (printsSpans && isPlain(item)) printSpan(item);
      if (spanSender === undefined) return;
      spans.push(item);
      if (spans.full) return spanSender.poke();
      spanTimer ??= setTimeout(() => {
        spanTimer = undefined;
        spans.hurry();
        spanSender.poke();
      }, limits.spanDelayMs).unref();
    },
    logs(records) {
      if (closed) return options.onDropped('logs', 'shutdown', records.length);
      print('logs', () => records.map(logLine));
      if (logSender === undefined) return;
      for (const record of records) logs.push(record);
      // What rules of one moment have to say goes in one request: the process may not live to see the second.
      if (isLogDue) return;
      isLogDue = true;
      queueMicrotask(() => {
        isLogDue = false;
        logSender.pokeUrgently();
      });
    },
    metrics(snapshot) {
      if (closed) return options.onDropped('metrics', 'shutdown', 1);
      print('metrics', () => metricLines(snapshot));
      if (metricSender === undefined) return;
      metrics.offer(snapshot);
      metricSender.poke();
    },
    async flush(timeoutMs) {
      await Promise.all(senders.map((one) => one.flush(timeoutMs)));
    },
    async shutdown() {
      closed = true;
      clearTimeout(spanTimer);
      for (const one of senders) one.close();
    },
  };
}
