import type { RangeFunction } from './functions-rate.ts';
import { CarefulVariance, KahanSum, Mean, quantile } from './kahan.ts';
import type { Window } from './plan.ts';

function fold<A extends { add(value: number): void; readonly value: number }>(
  window: Window,
  into: A,
): number {
  const { values, start, end } = window;
  for (let at = start; at < end; at++) into.add(values[at]!);
  return into.value;
}

function extreme({ values, start, end }: Window, greatest: boolean): number {
  let best = values[start]!;
  for (let at = start + 1; at < end; at++) {
    const value = values[at]!;
    if (Number.isNaN(best) || (greatest ? value > best : value < best)) best = value;
  }
  return best;
}

/** Least squares: slope per second and the value at `origin` (ms). Two samples at least. */
function regression(
  { times, values, start, end }: Window,
  origin: number,
  Sum: typeof KahanSum,
): { slope: number; intercept: number } {
  const first = values[start]!;
  const [x, y, xy, xx] = [new Sum(), new Sum(), new Sum(), new Sum()];
  let constant = true;
  for (let at = start; at < end; at++) {
    const seconds = (times[at]! - origin) / 1000;
    const value = values[at]!;
    constant &&= value === first;
    x.add(seconds);
    y.add(value);
    xy.add(seconds * value);
    xx.add(seconds * seconds);
  }
  if (constant) {
    const infinite = Math.abs(first) === Number.POSITIVE_INFINITY;
    return infinite ? { slope: Number.NaN, intercept: Number.NaN } : { slope: 0, intercept: first };
  }
  const count = end - start;
  const slope = (xy.value - (x.value * y.value) / count) / (xx.value - (x.value * x.value) / count);
  return { slope, intercept: y.value / count - (slope * x.value) / count };
}

/** Functions that add up in several sums at once. */
export function careful(Sum: typeof KahanSum): Readonly<Record<string, RangeFunction>> {
  return {
    stdvar_over_time: (window) => fold(window, new CarefulVariance(Sum)),
    stddev_over_time: (window) => Math.sqrt(fold(window, new CarefulVariance(Sum))),
    deriv: (window) => {
      if (window.end - window.start < 2) return undefined;
      return regression(window, window.times[window.start]!, Sum).slope;
    },
    predict_linear: (window, _from, _to, seconds, t) => {
      if (window.end - window.start < 2) return undefined;
      const { slope, intercept } = regression(window, t, Sum);
      return slope * seconds + intercept;
    },
  };
}

export const OVER_TIME_FUNCTIONS: Readonly<Record<string, RangeFunction>> = {
  avg_over_time: (window) => fold(window, new Mean()),
  sum_over_time: (window) => fold(window, new KahanSum()),
  min_over_time: (window) => extreme(window, false),
  max_over_time: (window) => extreme(window, true),
  count_over_time: ({ start, end }) => end - start,
  present_over_time: () => 1,
  first_over_time: ({ values, start }) => values[start]!,
  last_over_time: ({ values, end }) => values[end - 1]!,
  quantile_over_time: ({ values, start, end }, _from, _to, q) =>
    quantile(q, [...values.subarray(start, end)]),
  ...careful(KahanSum),
};
