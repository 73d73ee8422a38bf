import type { Labels } from '../model/labels.ts';
import type { MetricName } from '../model/metrics.ts';
import { prometheusLabel, prometheusName } from '../model/prometheus-name.ts';
import type { HistogramPoint, NumberPoint, Registry } from '../store/registry.ts';
import type { SeriesStore } from '../store/series-store.ts';

const RETRY_ROUNDS = 12;

/** Ids of the store's series that come from one point of the registry. */
interface Scraped {
  ids: number[];
  /** Round in which the point was there last. */
  seen: number;
}

/**
 * Copies the present value of every metric into the store under its Prometheus name, as a Prometheus behind a collector
 * would see it: histograms as cumulative `_bucket` series with `_sum` and `_count`, `job` and `instance` attached.
 */
export class Scraper {
  readonly #registry: Registry;
  readonly #store: SeriesStore;
  readonly #target: Labels;
  readonly #points = new Map<NumberPoint | HistogramPoint, Scraped>();
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
    if (!this.#store.tick(t)) return;
    for (const metric of this.#registry.metrics()) {
      if (only !== undefined && !only.includes(metric.name)) continue;
      const { kind, unit, buckets = [] } = metric.definition;
      const name = prometheusName(metric.name, unit, kind);
      for (const point of metric.points.values()) {
        // Unknown is not a value: the series ends, as for a reader of OTLP.
        if ('value' in point && Number.isNaN(point.value)) continue;
        const scraped = this.#scraped(point, name, buckets);
        scraped.seen = this.#round;
        const values = 'counts' in point ? histogramValues(point) : [point.value];
        let refused = false;
        for (const [at, id] of scraped.ids.entries()) if (!this.#store.set(id, values[at]!)) refused = true;
        // Ids of series that the store has let go, or had no room for, are asked for again, but not at every turn.
        if (refused && this.#round % RETRY_ROUNDS === 0) this.#points.delete(point);
      }
    }
    if (only === undefined) this.#endVanished();
  }

  #scraped(point: NumberPoint | HistogramPoint, name: string, buckets: readonly number[]): Scraped {
    let scraped = this.#points.get(point);
    if (scraped !== undefined) return scraped;
    const labels = this.#labels(point.attributes);
    const id = (suffix: string, extra: Labels = {}): number =>
      this.#store.series({ ...labels, ...extra, __name__: name + suffix });
    const ids =
      'counts' in point
        ? [
            ...buckets.map((bound) => id('_bucket', { le: String(bound) })),
            id('_bucket', { le: '+Inf' }),
            id('_sum'),
            id('_count'),
          ]
        : [id('')];
    scraped = { ids, seen: this.#round };
    this.#points.set(point, scraped);
    return scraped;
  }

  #endVanished(): void {
    const vanished: Scraped[] = [];
    for (const [point, scraped] of this.#points) {
      if (scraped.seen === this.#round) continue;
      vanished.push(scraped);
      this.#points.delete(point);
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
