import type { RunRecord } from '../bridge/inbox.ts';
import type { Exporter as ExporterName, Protocol, Signal } from '../config/otel.ts';
import type { LogData } from '../model/log.ts';
import { VERSION } from '../model/package.ts';
import type { SpanData } from '../model/span.ts';
import { type Connection, connect } from './connect.ts';
import { isPipeFull, logLine, metricLines, printLine, spanLine } from './console.ts';
import { resourceMetrics } from './encoder.ts';
import { LatestSource } from './latest.ts';
import { logFromRecord } from './logs.ts';
import type { MetricsSnapshot } from './metrics.ts';
import { QueueSource, type Source } from './queue.ts';
import { type ResourceAttributes, resourceOf } from './resource.ts';
import { RunSpanPages } from './run-span-pages.ts';
import { SpanEnvelope } from './run-spans.ts';
import { type DropReason, Sender } from './sender.ts';
import { SpanSource } from './span-source.ts';
import { Scopes, spanFromRecord } from './spans.ts';

export interface ExporterLimits {
  readonly spanQueue: number;
  /** Spans of a request. */
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

const DEFAULT_LIMITS: ExporterLimits = {
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
  /** Sent in batches. The span must not change afterwards. */
  span(span: SpanData): void;
  /**
   * The span of a run with a trace id and without `extra`, encoded at once and sent in batches.
   *
   * @returns false where it has to be given as a span
   */
  run(run: RunRecord): boolean;
  /** Sent at once. */
  logs(records: readonly LogData[]): void;
  /** Sent at once; replaces a snapshot that is still waiting. */
  metrics(snapshot: MetricsSnapshot): void;
  /** Fulfils when everything is delivered or given up on, after `timeoutMs` at the latest. */
  flush(timeoutMs: number): Promise<void>;
  /** Gives up what waits; to be called after a flush. */
  shutdown(): Promise<void>;
}

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
      options.onDropped(signal, isPipeFull(error) ? 'queue_full' : 'rejected', 1);
    }
  };

  const printsSpans = uses('traces', 'console');
  const takesEncoded = options.protocols.traces !== 'http/json' && !printsSpans;
  const spans = new SpanSource({
    runs: new RunSpanPages(new SpanEnvelope(options.resource, SCOPE), limits.spanBatch),
    others: new QueueSource<SpanData>({
      capacity: limits.spanQueue,
      minBatch: limits.spanBatch,
      maxBatch: limits.spanBatch,
      encode: (encoder, items) => encoder.spans(items.map((span) => spanFromRecord(span, resource, scopes))),
      ...callbacks('traces'),
    }),
    capacity: limits.spanQueue,
    onDropped: (n) => options.onDropped('traces', 'queue_full', n),
  });
  const logs = new QueueSource<LogData>({
    capacity: limits.logQueue,
    minBatch: 1,
    maxBatch: limits.logBatch,
    encode: (encoder, items) => encoder.logs(items.map((record) => logFromRecord(record, resource, SCOPE))),
    ...callbacks('logs'),
  });
  const metrics = new LatestSource({
    encode: (encoder, snapshot) =>
      encoder.metrics(snapshot, resourceMetrics(snapshot, resource, SCOPE), options.resource),
    ...callbacks('metrics'),
  });

  // Alerts first: a connection takes time to make ready.
  const logSender = sender('logs', logs, 2, limits.firstLogRetryMs);
  const spanSender = sender('traces', spans, 2, limits.firstRetryMs);
  const metricSender = sender('metrics', metrics, 1, limits.firstRetryMs);
  let spanTimer: NodeJS.Timeout | undefined;
  let isLogDue = false;

  const sendSpans = (to: Sender): void => {
    if (spans.isFull) to.poke();
    spanTimer ??= setTimeout(() => {
      spanTimer = undefined;
      spans.hurry();
      to.poke();
    }, limits.spanDelayMs).unref();
  };

  return {
    async warm() {
      const connection = await connections.get('logs')?.catch(() => undefined);
      if (connection === undefined || closed) return;
      const { encoder, transport } = connection;
      encoder.logs([logFromRecord(SAMPLE, resource, SCOPE)]);
      await transport.send(encoder.logs([]), transport.timeoutMs);
    },
    span(span) {
      if (closed) return options.onDropped('traces', 'shutdown', 1);
      print('traces', () => [spanLine(span)]);
      if (spanSender === undefined) return;
      spans.add(span);
      sendSpans(spanSender);
    },
    // Thousands of times a second: nothing in here may make an object for each.
    run(run) {
      if (!takesEncoded || closed || spanSender === undefined || !spans.addRun(run)) return false;
      sendSpans(spanSender);
      return true;
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
