import type { Labels } from './labels.ts';

/** The port between PromQL and whatever holds series: the store in the agent, a fixture in a test. */

export type MatchType = '=' | '!=' | '=~' | '!~';

export interface Matcher {
  readonly name: string;
  readonly type: MatchType;
  readonly value: string;
  /** Whether a series whose label `name` has this value is meant. A label that a series lacks has the value ''. */
  readonly matches: (value: string) => boolean;
}

/**
 * The samples of one series in a window, as views on shared columns: samples `start` to `end - 1`. They are valid until
 * the next write to the store; `labels` is the same object for the same series every time, so that readers can hang
 * what they derive from it in a WeakMap.
 */
export interface SeriesView {
  readonly labels: Labels;
  /** Sample times, ms since the Unix epoch, ascending. */
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly start: number;
  readonly end: number;
  /** By index: 0 = no sample, 1 = sample, 2 = staleness marker; undefined when every tick of the window has a sample. */
  readonly presence: Uint8Array | undefined;
  /** No sample after this index is below the one before it; undefined where that is not known. */
  readonly lastFall?: number;
}

export interface Queryable {
  /**
   * Series that match all matchers (`__name__` included) with ticks in (from, to], times in ms. Series without such ticks
   * are left out. Implementations may remember what `matchers` resolved to, by the identity of the array.
   */
  select(matchers: readonly Matcher[], from: number, to: number): SeriesView[];
  /**
   * A number that grows with every write to a metric, or to any when `name` is undefined, so that what was computed from
   * it can be kept until then. Without it nothing is kept.
   */
  lastWrite?(name: string | undefined): number;
}

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** Adds samples at time `t` (ms). Samples of the same `t` may come in several calls. */
export type Append = (t: number, samples: Iterable<Sample>) => void;
