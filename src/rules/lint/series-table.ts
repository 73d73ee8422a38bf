import type { KnownSeries } from '../../model/known-series.ts';
import type { Node } from '../../promql/ast.ts';
import { type LabelSet, type LabelSource, resultLabels } from './result-labels.ts';

/** A recording rule, as far as other rules see it. */
export interface Recording {
  readonly name: string;
  readonly node: Node;
  /** Names of the labels that the rule or its group sets. */
  readonly labels: readonly string[];
  readonly intervalMs: number | undefined;
}

/** What rules and Prometheus itself make: anything may be among their labels. */
const FOREIGN: ReadonlySet<string> = new Set([
  'ALERTS',
  'ALERTS_FOR_STATE',
  'up',
  'scrape_duration_seconds',
  'scrape_samples_scraped',
  'scrape_samples_post_metric_relabeling',
  'scrape_series_added',
  'target_info',
  'otel_scope_info',
]);

/** The metrics that rules can speak of: those of the agent and those that rules record. */
export class SeriesTable implements LabelSource {
  readonly known = new WeakMap<Node, LabelSet>();
  readonly #agent: ReadonlyMap<string, KnownSeries>;
  readonly #recordings = new Map<string, Recording[]>();
  readonly #labels = new Map<string, ReadonlySet<string> | undefined>();

  constructor(agent: ReadonlyMap<string, KnownSeries>, recordings: readonly Recording[]) {
    this.#agent = agent;
    for (const recording of recordings) {
      const same = this.#recordings.get(recording.name);
      if (same === undefined) this.#recordings.set(recording.name, [recording]);
      else same.push(recording);
    }
  }

  has(metric: string): boolean {
    return this.isOurs(metric) || FOREIGN.has(metric);
  }

  /** Whether the agent or a rule makes the metric. */
  isOurs(metric: string): boolean {
    return this.#agent.has(metric) || this.#recordings.has(metric);
  }

  names(): string[] {
    return [...this.#agent.keys(), ...this.#recordings.keys(), ...FOREIGN];
  }

  /** The labels that series of a metric may have; undefined where that is not known. */
  labels(metric: string): ReadonlySet<string> | undefined {
    const recordings = this.#recordings.get(metric);
    if (recordings === undefined) return this.#agent.get(metric)?.labels;
    if (!this.#labels.has(metric)) {
      this.#labels.set(metric, undefined); // For rules that record from one another in a circle.
      this.#labels.set(metric, this.#recorded(recordings));
    }
    return this.#labels.get(metric);
  }

  /** Time between two samples of a metric, ms, where the agent takes one every `stepMs`. */
  step(metric: string, stepMs: number): number {
    const intervals = this.#recordings.get(metric)?.map(({ intervalMs }) => intervalMs ?? 0) ?? [];
    return Math.max(stepMs, ...intervals);
  }

  #recorded(recordings: readonly Recording[]): ReadonlySet<string> | undefined {
    const all = new Set<string>();
    for (const { node, labels } of recordings) {
      const own = resultLabels(node, this);
      if (own === undefined) return undefined;
      for (const label of [...own, ...labels]) all.add(label);
    }
    return all;
  }
}
