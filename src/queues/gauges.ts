import type { Labels } from '../model/labels.ts';
import type { MetricName } from '../model/metrics.ts';
import type { NumberPoint, Registry } from '../store/registry.ts';

interface Published {
  readonly metric: MetricName;
  readonly attributes: Labels;
  readonly point: NumberPoint;
  round: number;
}

/** The series of one source: what is not set in a round is unknown from then on, and its series ends. */
export class Gauges {
  readonly #registry: Registry;
  readonly #published = new Map<string, Published>();
  #round = 0;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** @param common attributes that the source has on all its series */
  set(metric: MetricName, own: Labels, value: number, common: Labels = {}): void {
    let key: string = metric;
    for (const name in own) key += `\u0001${name}\u0002${own[name]}`;
    let published = this.#published.get(key);
    if (published === undefined) {
      const attributes = { ...common, ...own };
      published = { metric, attributes, point: this.#registry.number(metric, attributes), round: 0 };
      this.#published.set(key, published);
    }
    published.point.value = value;
    published.round = this.#round;
  }

  /** Ends the round: series that were not set in it are removed. */
  endRound(): void {
    for (const [key, { metric, attributes, round }] of this.#published) {
      if (round === this.#round) continue;
      this.#registry.remove(metric, attributes);
      this.#published.delete(key);
    }
    this.#round++;
  }
}
