import type { Labels } from '../model/labels.ts';
import type { Queryable, Sample } from '../model/queryable.ts';
import { evaluationError } from './errors.ts';
import { dropName, keyOf } from './label-ops.ts';
import type { Memo } from './memo.ts';

/** One evaluation of a query: where series come from, and its bounds. */
export interface Context {
  readonly queryable: Queryable;
  /** How old the latest sample of an instant selector may be, ms. */
  readonly lookbackMs: number;
  /** Resolution of subqueries that name none, ms. */
  readonly subqueryStepMs: number;
  /** What `start()` and `end()` mean, ms. */
  readonly startMs: number;
  readonly endMs: number;
  /** Results at `startMs` that this query shares with others. */
  readonly memo: Memo | undefined;
  /** @throws TaskwardenError when the query has now read more samples than it may. */
  readonly count: (samples: number) => void;
  /** Told of samples that were made of others, which is time that {@link count} does not see. */
  readonly made: (samples: number) => void;
}

/** The samples of one series in a range, without gaps: indexes `start` to `end - 1`. */
export interface Window {
  readonly labels: Labels;
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly start: number;
  readonly end: number;
  /** No sample after this index is below the one before it; undefined where that is not known. */
  readonly lastFall?: number;
}

/** The samples in (from, to], ms. */
export interface RangeVector {
  readonly from: number;
  readonly to: number;
  readonly windows: Window[];
}

/**
 * A compiled expression, evaluated at `t` (ms). Plans hold what their expression has derived from series, so the same
 * plan is to be used for every evaluation of a rule.
 */
export type ScalarPlan = (context: Context, t: number) => number;
export type VectorPlan = (context: Context, t: number) => Sample[];
export type MatrixPlan = (context: Context, t: number) => RangeVector;

export type Plan =
  | { readonly type: 'scalar'; readonly at: ScalarPlan }
  | { readonly type: 'vector'; readonly at: VectorPlan }
  | { readonly type: 'matrix'; readonly at: MatrixPlan }
  | { readonly type: 'string'; readonly value: string };

/** The labels of a vector without the metric name, and whether there were several names. */
export function nameless(labels: readonly Labels[]): { readonly labels: Labels[]; readonly mixed: boolean } {
  const name = labels[0]?.__name__;
  return { labels: labels.map(dropName), mixed: labels.some(({ __name__ }) => __name__ !== name) };
}

/**
 * Samples whose metric name went. Only series of different names can now have become one.
 * @throws TaskwardenError when two samples have the same labels.
 */
export function unique(samples: Sample[], before: readonly { readonly labels: Labels }[]): Sample[] {
  const name = before[0]?.labels.__name__;
  if (before.some(({ labels }) => labels.__name__ !== name)) assertUnique(samples);
  return samples;
}

/** @throws TaskwardenError when two samples have the same labels. */
export function assertUnique(samples: readonly Sample[]): void {
  const seen = new Set<string>();
  for (const { labels } of samples) seen.add(keyOf(labels));
  if (seen.size !== samples.length) {
    throw evaluationError('vector cannot contain metrics with the same labelset');
  }
}
