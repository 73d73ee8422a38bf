import type { Labels } from './labels.ts';

/** The port between PromQL and whatever holds series: the store in the agent, a fixture in a test. */

export type MatchType = '=' | '!=' | '=~' | '!~';

export interface Matcher {
  readonly name: string;
  readonly type: MatchType;
  readonly value: string;
}

/**
 * The samples of one series in a window, as views on shared columns: samples `start` to `end - 1`.
 * `present(i)` is false where the series has no sample at that tick, or a staleness marker.
 */
export interface SeriesView {
  readonly labels: Labels;
  /** Sample times, ms since the Unix epoch, ascending. */
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly start: number;
  readonly end: number;
  /** 0 = no sample, 1 = sample, 2 = staleness marker; undefined when every tick of the window has a sample. */
  readonly presence: Uint8Array | undefined;
}

export interface Queryable {
  /** Series that match all matchers (`__name__` included) with ticks in (from, to], times in ms. */
  select(matchers: readonly Matcher[], from: number, to: number): SeriesView[];
}

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** Adds samples at time `t` (ms). Samples of the same `t` may come in several calls. */
export type Append = (t: number, samples: Iterable<Sample>) => void;
