import { type Labels, labelValue } from '../model/labels.ts';
import type { Sample } from '../model/queryable.ts';
import { parseFloat64 } from './format.ts';
import { Grouping } from './grouping.ts';
import { Steady } from './steady.ts';

export interface Bucket {
  readonly bound: number;
  /** Observations up to the bound. */
  count: number;
}

/** Calls `measure` with the sorted buckets of each classic histogram; samples without a readable `le` are left out. */
export function planBuckets(): (
  samples: readonly Sample[],
  measure: (buckets: Bucket[]) => number,
) => Sample[] {
  const grouping = new Grouping(['le'], true);
  const layout = new Steady((all) => arrange(all, grouping));
  return (samples, measure) =>
    layout.of(samples).map(({ labels, bounds, places }) => {
      const buckets: Bucket[] = [];
      for (let at = 0; at < places.length; at++) {
        const count = samples[places[at]!]!.value;
        const last = buckets.at(-1);
        // Buckets of the same bound count as one.
        if (last?.bound === bounds[at]!) last.count += count;
        else buckets.push({ bound: bounds[at]!, count });
      }
      return { labels, value: measure(buckets) };
    });
}

/** The places of a histogram's buckets in a vector, and their bounds, ascending. */
interface Histogram {
  readonly labels: Labels;
  readonly bounds: readonly number[];
  readonly places: readonly number[];
}

function arrange(all: readonly Labels[], grouping: Grouping): Histogram[] {
  grouping.tidy();
  const histograms = new Map<Labels, { bound: number; place: number }[]>();
  for (const [place, labels] of all.entries()) {
    const bound = boundOf(labels);
    if (Number.isNaN(bound)) continue;
    const group = grouping.of(labels);
    const buckets = histograms.get(group) ?? [];
    histograms.set(group, buckets);
    buckets.push({ bound, place });
  }
  return [...histograms].map(([labels, buckets]) => {
    buckets.sort((a, b) => a.bound - b.bound || 0);
    return { labels, bounds: buckets.map(({ bound }) => bound), places: buckets.map(({ place }) => place) };
  });
}

/** The upper bound that the label `le` says; NaN where it says none. */
function boundOf(labels: Labels): number {
  return parseFloat64(labelValue(labels, 'le')) ?? Number.NaN;
}

/**
 * Source: Prometheus, promql/quantile.go BucketQuantile. Counts of neighbours that differ by less than `tolerance`,
 * relatively, are taken for the same.
 */
export function bucketQuantile(q: number, buckets: Bucket[], tolerance: number): number {
  if (Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  const last = buckets.length - 1;
  if (last < 1 || buckets[last]!.bound !== Number.POSITIVE_INFINITY) return Number.NaN;
  makeMonotonic(buckets, tolerance);
  const observations = buckets[last]!.count;
  if (observations === 0) return Number.NaN;
  const rank = q * observations;
  let at = 0;
  while (at < last && !(buckets[at]!.count >= rank)) at++;
  const { bound, count } = buckets[at]!;
  if (at === last) return buckets[last - 1]!.bound;
  if (at === 0) return bound <= 0 ? bound : bound * (rank / count);
  const below = buckets[at - 1]!;
  return below.bound + (bound - below.bound) * ((rank - below.count) / (count - below.count));
}

/** Scrapes are not atomic, so a count may be lower than the one below it: it is then taken for the same. */
function makeMonotonic(buckets: readonly Bucket[], tolerance: number): void {
  let previous = buckets[0]!.count;
  for (const bucket of buckets) {
    if (bucket.count < previous || almostEqual(bucket.count, previous, tolerance)) bucket.count = previous;
    else previous = bucket.count;
  }
}

function almostEqual(a: number, b: number, tolerance: number): boolean {
  const sum = Math.abs(a) + Math.abs(b);
  return a === b || Math.abs(a - b) / Math.min(sum, Number.MAX_VALUE) < tolerance;
}

/** The share of observations in (lower, upper] (source: Prometheus, promql/quantile.go BucketFraction). */
export function bucketFraction(lower: number, upper: number, buckets: readonly Bucket[]): number {
  const last = buckets.at(-1);
  if (last?.bound !== Number.POSITIVE_INFINITY) return Number.NaN;
  if (last.count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN;
  if (lower >= upper) return 0;
  // Counts that fall towards the end could say more than all.
  const share = (value: number): number => Math.min(rankAt(value, buckets), last.count);
  return (share(upper) - share(lower)) / last.count;
}

/** Observations up to a value, by linear interpolation within its bucket. */
function rankAt(value: number, buckets: readonly Bucket[]): number {
  let below = buckets[0]!.bound <= 0 ? Number.NEGATIVE_INFINITY : 0;
  let rank = 0;
  for (const { bound, count } of buckets) {
    if (below >= value) return rank;
    if (bound > value) {
      // A bucket without a lower end cannot be divided.
      return below === Number.NEGATIVE_INFINITY
        ? count
        : rank + ((count - rank) * (value - below)) / (bound - below);
    }
    below = bound;
    rank = count;
  }
  return rank;
}
