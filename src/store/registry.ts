import { type Labels, labelsKey } from '../model/labels.ts';
import { METRICS, type MetricDefinition, type MetricName } from '../model/metrics.ts';

/** The present value of one series. Cumulative for counters, histograms and up-down counters. */
export interface NumberPoint {
  readonly attributes: Labels;
  value: number;
}

export interface HistogramPoint {
  readonly attributes: Labels;
  /** Observations per bucket (not cumulative), one more than there are bounds. */
  readonly counts: Float64Array;
  sum: number;
  count: number;
}

export interface NumberMetric {
  readonly name: MetricName;
  readonly definition: MetricDefinition & { kind: 'counter' | 'gauge' | 'updowncounter' };
  readonly points: ReadonlyMap<string, NumberPoint>;
}

export interface HistogramMetric {
  readonly name: MetricName;
  readonly definition: MetricDefinition & { kind: 'histogram' };
  readonly points: ReadonlyMap<string, HistogramPoint>;
}

export type Metric = NumberMetric | HistogramMetric;

/** Attribute that marks the series into which everything over the cap is folded (OpenTelemetry's own). */
const OVERFLOW: Labels = { 'otel.metric.overflow': 'true' };

export interface RegistryOptions {
  /** Series that one metric may have; further ones share one overflow series. OpenTelemetry's default is 2000. */
  readonly maxSeriesPerMetric: number;
  /** A further one was asked for. */
  readonly onFolded?: () => void;
}

/**
 * The present value of every metric of the table. It has two readers: the store, which keeps its history for the rules,
 * and the OTLP exporter. Handles stay valid until removed, so a hot path looks one up once.
 */
export class Registry {
  /** Start of all cumulative values, ms since the Unix epoch. */
  readonly startTime: number;
  readonly #maxSeries: number;
  readonly #onFolded: () => void;
  readonly #numbers = new Map<MetricName, Map<string, NumberPoint>>();
  readonly #histograms = new Map<MetricName, Map<string, HistogramPoint>>();

  constructor(startTime: number, options: RegistryOptions) {
    this.startTime = startTime;
    this.#maxSeries = options.maxSeriesPerMetric;
    this.#onFolded = options.onFolded ?? (() => {});
  }

  /** The point of a counter, gauge or up-down counter; made with value 0 where there is none. */
  number(name: MetricName, attributes: Labels = {}): NumberPoint {
    return this.#point(this.#numbers, name, attributes, (own) => ({ attributes: own, value: 0 }));
  }

  /** The point of a histogram; made empty where there is none. */
  histogram(name: MetricName, attributes: Labels = {}): HistogramPoint {
    const bounds = METRICS[name].buckets?.length ?? 0;
    return this.#point(this.#histograms, name, attributes, (own) => ({
      attributes: own,
      counts: new Float64Array(bounds + 1),
      sum: 0,
      count: 0,
    }));
  }

  add(name: MetricName, attributes: Labels, delta: number): void {
    this.number(name, attributes).value += delta;
  }

  set(name: MetricName, attributes: Labels, value: number): void {
    this.number(name, attributes).value = value;
  }

  /** The present value of a series that there is. */
  value(name: MetricName, attributes: Labels): number | undefined {
    return this.#numbers.get(name)?.get(labelsKey(attributes))?.value;
  }

  remove(name: MetricName, attributes: Labels): void {
    this.#numbers.get(name)?.delete(labelsKey(attributes));
  }

  *metrics(): Generator<Metric> {
    for (const [name, points] of this.#numbers)
      yield { name, definition: METRICS[name], points } as NumberMetric;
    for (const [name, points] of this.#histograms)
      yield { name, definition: METRICS[name], points } as HistogramMetric;
  }

  #point<P>(
    all: Map<MetricName, Map<string, P>>,
    name: MetricName,
    attributes: Labels,
    make: (own: Labels) => P,
  ): P {
    let points = all.get(name);
    if (points === undefined) {
      points = new Map();
      all.set(name, points);
    }
    const key = labelsKey(attributes);
    const known = points.get(key);
    if (known !== undefined) return known;
    if (points.size >= this.#maxSeries) return this.#overflow(points, make);
    const point = make(attributes);
    points.set(key, point);
    return point;
  }

  #overflow<P>(points: Map<string, P>, make: (own: Labels) => P): P {
    this.#onFolded();
    const key = labelsKey(OVERFLOW);
    let point = points.get(key);
    if (point === undefined) {
      point = make(OVERFLOW);
      points.set(key, point);
    }
    return point;
  }
}

/** Whether a point is the one that has everything over the cap. */
export function isOverflow({ attributes }: NumberPoint | HistogramPoint): boolean {
  return attributes === OVERFLOW;
}

/** Counts one observation; `bounds` are the metric's `buckets`, upper bounds inclusive. */
export function observe(point: HistogramPoint, bounds: readonly number[], value: number): void {
  let bucket = 0;
  while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
  point.counts[bucket]!++;
  point.sum += value;
  point.count++;
}
