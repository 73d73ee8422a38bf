import { keyOf, type Labels } from '../model/labels.ts';
import type { Sample } from '../model/queryable.ts';
import type { RecordingRule } from './rule.ts';

/** Makes the samples of a recording rule out of its expression's results. */
export class Recorder {
  readonly #changes: Labels;
  /** What has become of labels: a series of a result keeps its label object, and so does what is made of it. */
  readonly #known = new WeakMap<Labels, Labels>();

  constructor(rule: RecordingRule) {
    this.#changes = { ...rule.labels, __name__: rule.name };
  }

  /**
   * @param limit most samples that there may be; 0 = no limit
   * @throws Error when two have the same labels, or there are too many
   */
  record(result: readonly Sample[], limit: number): Sample[] {
    const seen = new Set<string>();
    const samples = result.map(({ labels, value }) => {
      const own = this.#labels(labels);
      seen.add(keyOf(own));
      return { labels: own, value };
    });
    if (seen.size < samples.length)
      throw new Error('vector contains metrics with the same labelset after applying rule labels');
    if (limit > 0 && samples.length > limit)
      throw new Error(`exceeded limit of ${limit} with ${samples.length} series`);
    return samples;
  }

  #labels(labels: Labels): Labels {
    let own = this.#known.get(labels);
    if (own === undefined) {
      own = withLabels(labels, this.#changes);
      this.#known.set(labels, own);
    }
    return own;
  }
}

/** `labels` with `changes` over them; an empty value removes a label. */
export function withLabels(labels: Labels, changes: Labels): Labels {
  return Object.fromEntries(Object.entries({ ...labels, ...changes }).filter(([, value]) => value !== ''));
}
