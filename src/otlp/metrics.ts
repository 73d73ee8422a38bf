import { type HrTime, ValueType } from '@opentelemetry/api';
import { AggregationTemporality, DataPointType, type MetricData } from '@opentelemetry/sdk-metrics';
import { type Labels, labelsKey } from '../model/labels.ts';
import type { HistogramMetric, Metric, NumberMetric, Registry } from '../store/registry.ts';
import { hrTime } from './hr-time.ts';

/** A gauge outside the metric table, with an empty unit: ALERTS and ALERTS_FOR_STATE. */
export interface ExtraGauge {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

/** Series of one metric that have ended: their point in OTLP says "no recorded value". */
export interface VanishedMetric {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  readonly kind: 'gauge' | 'sum';
  readonly monotonic: boolean;
  /** Start of a cumulative value, ms since the Unix epoch; 0 where it is not known. */
  readonly startTimeMs: number;
  readonly points: readonly Labels[];
}

export interface MetricsSnapshot {
  /** ms since the Unix epoch. */
  readonly timeMs: number;
  readonly metrics: MetricData[];
  readonly vanished: VanishedMetric[];
}

type Describe = Omit<VanishedMetric, 'points'>;

interface Known {
  readonly describe: Describe;
  points: Map<string, Labels>;
}

/**
 * Takes snapshots of a registry for export: cumulative always, as Prometheus takes nothing else. Points that are NaN are
 * left out, for unknown is not a value. A counter that was not 0 at the start of the registry has no start time: with that of
 * the registry, who makes a 0 of it sees all that was counted before as one leap. Remembers the series of the last snapshot, to tell which have vanished since.
 */
export class MetricsReader {
  readonly #registry: Registry;
  readonly #known = new Map<string, Known>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** @param now ms since the Unix epoch */
  read(now: number, extra: readonly ExtraGauge[] = []): MetricsSnapshot {
    const { startTime } = this.#registry;
    const end = hrTime(now);
    const metrics: MetricData[] = [];
    const present = new Map<string, Known>();
    for (const metric of this.#registry.metrics()) {
      if (metric.definition.kind === 'histogram')
        metrics.push(histogramData(metric as HistogramMetric, hrTime(startTime), end));
      else this.#number(metric as NumberMetric, end, metrics, present);
    }
    for (const [name, gauges] of Map.groupBy(extra, (gauge) => gauge.name)) {
      const describe: Describe = {
        ...{ name, description: '', unit: '', kind: 'gauge', monotonic: false },
        startTimeMs: startTime,
      };
      const values = gauges.map(({ labels, value }) => ({ attributes: labels, value }));
      const points = new Map(gauges.map(({ labels }) => [labelsKey(labels), labels]));
      present.set(name, { describe, points });
      metrics.push(numberData(describe, ValueType.DOUBLE, values, end));
    }
    const vanished = this.#vanished(present);
    for (const [name, known] of present) this.#known.set(name, known);
    return {
      timeMs: now,
      metrics: metrics.filter((metric) => metric.dataPoints.length > 0),
      vanished,
    };
  }

  #number(metric: NumberMetric, end: HrTime, metrics: MetricData[], present: Map<string, Known>): void {
    const { description, unit, kind, startUnknown = false } = metric.definition;
    const describe: Describe = {
      name: metric.name,
      description,
      unit,
      kind: kind === 'gauge' ? 'gauge' : 'sum',
      monotonic: kind === 'counter',
      startTimeMs: startUnknown ? 0 : this.#registry.startTime,
    };
    const values = [];
    const points = new Map<string, Labels>();
    for (const [key, point] of metric.points) {
      if (Number.isNaN(point.value)) continue;
      points.set(key, point.attributes);
      values.push(point);
    }
    present.set(metric.name, { describe, points });
    metrics.push(numberData(describe, valueType(metric), values, end));
  }

  #vanished(present: ReadonlyMap<string, Known>): VanishedMetric[] {
    const vanished: VanishedMetric[] = [];
    for (const [name, { describe, points }] of this.#known) {
      const now = present.get(name)?.points;
      const gone = [...points].filter(([key]) => now?.has(key) !== true).map(([, labels]) => labels);
      if (gone.length > 0) vanished.push({ ...describe, points: gone });
      if (now === undefined) this.#known.delete(name);
    }
    return vanished;
  }
}

/** Integers for what is counted (`{run}`) or measured in whole bytes, in sums; everything else may have a fraction. */
function valueType(metric: Metric): ValueType {
  const { kind, unit } = metric.definition;
  return kind !== 'gauge' && (unit === 'By' || unit.startsWith('{')) ? ValueType.INT : ValueType.DOUBLE;
}

function numberData(
  { name, description, unit, kind, monotonic, startTimeMs }: Describe,
  type: ValueType,
  points: readonly { readonly attributes: Labels; readonly value: number }[],
  endTime: HrTime,
): MetricData {
  const startTime = hrTime(startTimeMs);
  const shared = {
    descriptor: { name, description, unit, valueType: type },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPoints: points.map(({ attributes, value }) => ({
      startTime,
      endTime,
      attributes,
      value: type === ValueType.INT ? Math.round(value) : value,
    })),
  };
  if (kind === 'gauge') return { ...shared, dataPointType: DataPointType.GAUGE };
  return { ...shared, dataPointType: DataPointType.SUM, isMonotonic: monotonic };
}

function histogramData(
  { name, definition, points }: HistogramMetric,
  startTime: HrTime,
  endTime: HrTime,
): MetricData {
  const boundaries = [...(definition.buckets ?? [])];
  return {
    descriptor: {
      name,
      description: definition.description,
      unit: definition.unit,
      valueType: ValueType.DOUBLE,
    },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.HISTOGRAM,
    dataPoints: [...points.values()].map(({ attributes, counts, sum, count }) => ({
      startTime,
      endTime,
      attributes,
      value: { buckets: { boundaries, counts: [...counts] }, sum, count },
    })),
  };
}
