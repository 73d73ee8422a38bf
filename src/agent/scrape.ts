import { type Labels, labelsKey } from '../model/labels.ts';
import type { MetricName } from '../model/metrics.ts';
import { prometheusLabel, prometheusName } from '../model/prometheus-name.ts';
import {
  type HistogramPoint,
  isOverflow,
  type Metric,
  type NumberPoint,
  type Registry,
} from '../store/registry.ts';
import type { SeriesStore } from '../store/series-store.ts';

const RETRY_ROUNDS = 12;
/** Counts that have ended are remembered, the latest of them: names that come and go are without end. */
const MAX_ENDED = 10_000;

/** Ids of the store's series that come from one point of the registry. */
interface Scraped {
  ids: number[];
  /** Round in which the point was there last. */
  seen: number;
  /** Name of the series in the store. */
  readonly name: string;
  /** Whether it counts from 0 on, and since when is known. */
  readonly isCount: boolean;
}

/**
 * Copies the present value of every metric into the store under its Prometheus name, as a Prometheus behind a collector
 * would see it: histograms as cumulative `_bucket` series with `_sum` and `_count`, `job` and `instance` attached. What counts from 0
 * on and is new has been 0 at the tick before, so that what it has by its first sample is an increase.
 */
export class Scraper {
  readonly #registry: Registry;
  readonly #store: SeriesStore;
  readonly #target: Labels;
  readonly #points = new Map<NumberPoint | HistogramPoint, Scraped>();
  /** Counts that have ended, by {@link seriesKey}: what counts on under their names does not begin at 0. */
  readonly #ended = new Set<string>();
  #round = 0;

  /** @param target `job` and `instance` */
  constructor(registry: Registry, store: SeriesStore, target: Labels) {
    this.#registry = registry;
    this.#store = store;
    this.#target = target;
  }

  /** @param only metrics that are copied; all if left out */
  scrape(t: number, only?: readonly MetricName[]): void {
    this.#round++;
    // What is counted before the first tick has been 0 when the registry was made.
    if (this.#store.lastTick === undefined) this.#store.tick(Math.min(this.#registry.startTime, t - 1));
    if (!this.#store.tick(t)) return;
    for (const metric of this.#registry.metrics()) {
      if (only !== undefined && !only.includes(metric.name)) continue;
      const { kind, unit, buckets = [] } = metric.definition;
      const name = prometheusName(metric.name, unit, kind);
      const isCount = countsFromZero(metric);
      for (const point of metric.points.values()) {
        // Unknown is not a value: the series ends, as for a reader of OTLP.
        if ('value' in point && Number.isNaN(point.value)) continue;
        const scraped = this.#points.get(point) ?? this.#begin(point, name, isCount, buckets);
        scraped.seen = this.#round;
        const values = 'counts' in point ? histogramValues(point) : [point.value];
        let refused = false;
        for (const [at, id] of scraped.ids.entries()) if (!this.#store.set(id, values[at]!)) refused = true;
        // Ids of series that the store has let go, or had no room for, are asked for again, but not at every turn.
        if (refused && this.#round % RETRY_ROUNDS === 0) scraped.ids = this.#idsOf(point, name, buckets);
      }
    }
    if (only === undefined) this.#endVanished();
  }

  #begin(
    point: NumberPoint | HistogramPoint,
    name: string,
    isCount: boolean,
    buckets: readonly number[],
  ): Scraped {
    const ids = this.#idsOf(point, name, buckets);
    if (isCount && !isOverflow(point) && !this.#ended.has(seriesKey(point, name)))
      for (const id of ids) this.#store.beginAtZero(id);
    const scraped = { ids, seen: this.#round, name, isCount };
    this.#points.set(point, scraped);
    return scraped;
  }

  #idsOf(point: NumberPoint | HistogramPoint, name: string, buckets: readonly number[]): number[] {
    const labels = this.#labels(point.attributes);
    const id = (suffix: string, extra: Labels = {}): number =>
      this.#store.series({ ...labels, ...extra, __name__: name + suffix });
    if (!('counts' in point)) return [id('')];
    return [
      ...buckets.map((bound) => id('_bucket', { le: String(bound) })),
      id('_bucket', { le: '+Inf' }),
      id('_sum'),
      id('_count'),
    ];
  }

  #endVanished(): void {
    const vanished: Scraped[] = [];
    for (const [point, scraped] of this.#points) {
      if (scraped.seen === this.#round) continue;
      vanished.push(scraped);
      if (scraped.isCount) this.#ended.add(seriesKey(point, scraped.name));
      this.#points.delete(point);
    }
    for (const key of this.#ended) {
      if (this.#ended.size <= MAX_ENDED) break;
      this.#ended.delete(key);
    }
    if (vanished.length === 0) return;
    // What was removed and set again is another point of the same series.
    const alive = new Set([...this.#points.values()].flatMap(({ ids }) => ids));
    for (const { ids } of vanished) for (const id of ids) if (!alive.has(id)) this.#store.markStale(id);
  }

  #labels(attributes: Labels): Labels {
    const labels: Record<string, string> = { ...this.#target };
    for (const [attribute, value] of Object.entries(attributes)) labels[prometheusLabel(attribute)] = value;
    return labels;
  }
}

/** Whether a metric's series have been 0 when they began: what others have counted before has not. */
function countsFromZero({ definition }: Metric): boolean {
  const { kind, startUnknown = false } = definition;
  return (kind === 'counter' || kind === 'histogram') && !startUnknown;
}

function seriesKey({ attributes }: NumberPoint | HistogramPoint, name: string): string {
  return `${name}\u0001${labelsKey(attributes)}`;
}

/** Cumulative buckets, sum and count, in the order of the series' ids. */
function histogramValues(point: HistogramPoint): number[] {
  let cumulative = 0;
  const values: number[] = [];
  for (const count of point.counts) {
    cumulative += count;
    values.push(cumulative);
  }
  values.push(point.sum, point.count);
  return values;
}
