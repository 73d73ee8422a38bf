import { alertPoints, isEvaluatedElsewhere } from '../alerts/active-series.ts';
import { alertLogRecord } from '../alerts/log-record.ts';
import { isNews } from '../alerts/news.ts';
import type { Notifier } from '../alerts/notifier.ts';
import type { RunRecord } from '../bridge/inbox.ts';
import type { Config } from '../config/config.ts';
import type { ActiveAlert, AlertTransition } from '../model/alert.ts';
import { monotonicMs, wallClock } from '../model/clock.ts';
import type { LogData } from '../model/log.ts';
import { VERSION } from '../model/package.ts';
import type { SpanData } from '../model/span.ts';
import { createExporter, type Exporter } from '../otlp/exporter.ts';
import { MetricsReader } from '../otlp/metrics.ts';
import type { ResourceAttributes } from '../otlp/resource.ts';
import type { Registry } from '../store/registry.ts';
import { spanOfRun } from './run-span.ts';
import { createTelling } from './telling.ts';

export interface ExportingOptions {
  readonly config: Config;
  readonly registry: Registry;
  readonly resource: ResourceAttributes;
  readonly alerts: () => Iterable<ActiveAlert>;
  /** Where alerts go beside OTLP. */
  readonly notifier?: Notifier | undefined;
  /** Told what becomes of deliveries; nobody if left out. */
  readonly say?: (level: 'info', text: string) => void;
}

/** The way out: spans, metrics and alerts over OTLP, as the OTEL_* variables say, and alerts to their own servers. */
export class Exporting {
  readonly #exporter: Exporter;
  readonly #reader: MetricsReader;
  readonly #alerts: () => Iterable<ActiveAlert>;
  readonly #alertsMetric: Config['alertsMetric'];
  readonly #notifier: Notifier | undefined;

  constructor({ config, registry, resource, alerts, notifier, say }: ExportingOptions) {
    const isToTell = createTelling();
    this.#reader = new MetricsReader(registry);
    this.#alerts = alerts;
    this.#alertsMetric = config.alertsMetric;
    this.#notifier = notifier;
    this.#exporter = createExporter({
      exporters: config.otel.exporters,
      protocols: config.otel.protocols,
      resource,
      now: monotonicMs,
      onDropped: (signal, reason, n) => registry.add('taskwarden.telemetry.dropped', { signal, reason }, n),
      onFailure: (signal, error) => {
        registry.add('taskwarden.export.failures', { signal }, 1);
        if (isToTell(signal)) say?.('info', `${signal} are not delivered for now: ${error.message}`);
      },
    });
  }

  /** Opens the road of alerts, so that the first is not late. */
  warm(): Promise<void> {
    return this.#exporter.warm();
  }

  /** The span of a run. */
  run(run: RunRecord): void {
    if (run.extra === undefined && this.#exporter.run(run)) return;
    this.#exporter.span(spanOfRun(run, VERSION));
  }

  /** A span of the application or of a library. */
  span(span: SpanData): void {
    this.#exporter.span(span);
  }

  /** Sends an alert that began to fire or ended; what is only pending is in the metrics. */
  alert(transition: AlertTransition): void {
    if (!isNews(transition)) return;
    this.#exporter.logs([alertLogRecord(transition)]);
    if (!isEvaluatedElsewhere(transition)) this.#notifier?.transition(transition);
  }

  /** Sends what happened once, and is no alert. */
  event(record: LogData): void {
    this.#exporter.logs([record]);
  }

  /** Repeats alerts where they would be taken as ended otherwise; to be called every few seconds. */
  remind(): void {
    this.#notifier?.remind();
  }

  metrics(): void {
    // The reader ends the series of alerts that are no longer given.
    this.#exporter.metrics(this.#reader.read(wallClock(), alertPoints(this.#alerts(), this.#alertsMetric)));
  }

  async flush(timeoutMs: number): Promise<void> {
    await Promise.all([this.#exporter.flush(timeoutMs), this.#notifier?.flush(timeoutMs)]);
  }
}
