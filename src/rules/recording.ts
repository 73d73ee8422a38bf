import { type Labels, labelsKey } from '../model/labels.ts';
import type { Sample } from '../model/queryable.ts';
import type { RecordingRule } from './rule.ts';

/** The samples that a recording rule makes of its expression's result. @throws Error when two have the same labels */
export function record(rule: RecordingRule, result: readonly Sample[], limit: number): Sample[] {
  const seen = new Set<string>();
  const samples = result.map(({ labels, value }) => {
    const own = withLabels(labels, { ...rule.labels, __name__: rule.name });
    seen.add(labelsKey(own));
    return { labels: own, value };
  });
  if (seen.size < samples.length)
    throw new Error('vector contains metrics with the same labelset after applying rule labels');
  if (limit > 0 && samples.length > limit)
    throw new Error(`exceeded limit of ${limit} with ${samples.length} series`);
  return samples;
}

/** `labels` with `changes` over them; an empty value removes a label. */
export function withLabels(labels: Labels, changes: Labels): Labels {
  return Object.fromEntries(Object.entries({ ...labels, ...changes }).filter(([, value]) => value !== ''));
}
