import { type Accumulator, type Dialect, V3 } from './dialect.ts';
import { careful } from './functions-over-time.ts';
import { increaseOf } from './functions-rate.ts';
import { KahanSum, quantile as usualQuantile } from './kahan.ts';
import type { Window } from './plan.ts';

class PlainSum implements Accumulator {
  value = -0;

  add(value: number): void {
    this.value += value;
  }
}

/** An infinite mean stays what it is, unless NaN or the other infinity comes. */
function isDecided(mean: number, value: number): boolean {
  return Math.abs(mean) === Number.POSITIVE_INFINITY && (value === mean || Number.isFinite(value));
}

class PlainMean implements Accumulator {
  value = 0;
  #count = 0;

  add(value: number): void {
    const count = ++this.#count;
    if (count === 1) this.value = value;
    else if (!isDecided(this.value, value)) this.value += value / count - this.value / count;
  }
}

/** Of one value it is 0, be that infinite. */
class PlainVariance implements Accumulator {
  readonly #root: boolean;
  #count = 0;
  #mean = 0;
  #squares = 0;

  constructor(root: boolean) {
    this.#root = root;
  }

  add(value: number): void {
    if (++this.#count === 1) {
      this.#mean = value;
      return;
    }
    const delta = value - this.#mean;
    this.#mean += delta / this.#count;
    this.#squares += delta * (value - this.#mean);
  }

  get value(): number {
    const variance = this.#squares / this.#count;
    return this.#root ? Math.sqrt(variance) : variance;
  }
}

function averageOverTime({ values, start, end }: Window): number {
  const mean = new UnboundedSum();
  for (let at = start; at < end; at++) {
    const value = values[at]!;
    const count = at - start + 1;
    if (!isDecided(mean.sum, value)) mean.add(value / count - mean.sum / count);
  }
  return Math.abs(mean.sum) === Number.POSITIVE_INFINITY ? mean.sum : mean.value;
}

function extrapolated(
  window: Window,
  from: number,
  to: number,
  counter: boolean,
  perSecond = false,
): number | undefined {
  const { times, values, start, end } = window;
  if (end - start < 2) return undefined;
  const change = counter ? increaseOf(window) : values[end - 1]! - values[start]!;
  const sampled = (times[end - 1]! - times[start]!) / 1000;
  const average = sampled / (end - start - 1);
  let toStart = (times[start]! - from) / 1000;
  const toEnd = (to - times[end - 1]!) / 1000;
  if (counter && change > 0 && values[start]! >= 0) {
    toStart = Math.min(toStart, sampled * (values[start]! / change));
  }
  const threshold = average * 1.1;
  const before = toStart < threshold ? toStart : average / 2;
  const after = toEnd < threshold ? toEnd : average / 2;
  const factor = (sampled + before + after) / sampled;
  return change * (perSecond ? factor / ((to - from) / 1000) : factor);
}

/** Once infinite, its rounding error is NaN. */
class UnboundedSum extends KahanSum {
  override add(value: number): void {
    const total = this.sum + value;
    if (Math.abs(this.sum) >= Math.abs(value)) this.error += this.sum - total + value;
    else this.error += value - total + this.sum;
    this.sum = total;
  }
}

/** An infinity weighs even where its weight is 0, and makes NaN. */
function quantile(q: number, values: number[]): number {
  const exact = usualQuantile(q, values);
  if (!(q >= 0 && q <= 1) || values.length === 0) return exact;
  const rank = q * (values.length - 1);
  const lower = Math.floor(rank);
  const upper = Math.min(values.length - 1, lower + 1);
  return values[lower]! * (1 - (rank - lower)) + values[upper]! * (rank - lower);
}

/**
 * Prometheus 2, as of 2.42 (source: its promql/engine.go and promql/functions.go), for comparison only: windows are closed
 * on the left, so that `rate(x[1m])` of one sample a minute has a value; `atan2` leaves the metric's name; `sum` and
 * `avg` over series carry no rounding error along; and a rate stops at zero before the distance to its first sample is
 * judged. What version 3 added to the language (durations as numbers, quoted names) is accepted all the same, and the
 * dot of a regular expression matches a newline.
 */
export const V2: Dialect = {
  ...V3,
  closedMs: 1,
  keepName: new Set(['atan2']),
  filteredMatchesCollide: false,
  bucketTolerance: 0,
  quantile,
  rangeFunctions: {
    ...careful(UnboundedSum),
    rate: (window, from, to) => extrapolated(window, from, to, true, true),
    increase: (window, from, to) => extrapolated(window, from, to, true),
    delta: (window, from, to) => extrapolated(window, from, to, false),
    avg_over_time: averageOverTime,
    quantile_over_time: ({ values, start, end }, _from, _to, q) =>
      quantile(q, [...values.subarray(start, end)]),
  },
  accumulators: {
    sum: () => new PlainSum(),
    avg: () => new PlainMean(),
    stddev: () => new PlainVariance(true),
    stdvar: () => new PlainVariance(false),
  },
};
