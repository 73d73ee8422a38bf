import type { Window } from './plan.ts';

/** What a function makes of one series in the range (from, to], ms; undefined = the series is left out. */
export type RangeFunction = (
  window: Window,
  from: number,
  to: number,
  param: number,
  t: number,
) => number | undefined;

/** The change of a counter over its resets. */
export function increaseOf({ values, start, end, lastFall }: Window): number {
  let result = values[end - 1]! - values[start]!;
  if (lastFall !== undefined && lastFall <= start) return result;
  let previous = values[start]!;
  for (let at = start + 1; at < end; at++) {
    const current = values[at]!;
    if (current < previous) result += previous;
    previous = current;
  }
  return result;
}

/**
 * The change over the range, extrapolated to its ends where samples come close to them (source: Prometheus,
 * promql/functions.go extrapolatedRate). Not to be improved: rules are written for it as it is.
 */
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
  const threshold = average * 1.1;
  let toStart = (times[start]! - from) / 1000;
  let toEnd = (to - times[end - 1]!) / 1000;
  if (toStart >= threshold) toStart = average / 2;
  // A counter cannot have been negative: no further back than where it was zero.
  if (counter && change > 0 && values[start]! >= 0) {
    toStart = Math.min(toStart, sampled * (values[start]! / change));
  }
  if (toEnd >= threshold) toEnd = average / 2;
  let factor = sampled === 0 ? 1 : (sampled + toStart + toEnd) / sampled;
  if (perSecond) factor /= (to - from) / 1000;
  return change * factor;
}

/** The change between the last two samples, per second for `irate`. */
function instantChange({ times, values, start, end }: Window, counter: boolean): number | undefined {
  if (end - start < 2) return undefined;
  const last = values[end - 1]!;
  const before = values[end - 2]!;
  const ms = times[end - 1]! - times[end - 2]!;
  if (ms === 0) return undefined;
  if (!counter) return last - before;
  return (last < before ? last : last - before) / (ms / 1000);
}

function countWhere(window: Window, differs: (previous: number, current: number) => boolean): number {
  const { values, start, end } = window;
  let count = 0;
  for (let at = start + 1; at < end; at++) if (differs(values[at - 1]!, values[at]!)) count++;
  return count;
}

export const RATE_FUNCTIONS: Readonly<Record<string, RangeFunction>> = {
  rate: (window, from, to) => extrapolated(window, from, to, true, true),
  increase: (window, from, to) => extrapolated(window, from, to, true),
  delta: (window, from, to) => extrapolated(window, from, to, false),
  irate: (window) => instantChange(window, true),
  idelta: (window) => instantChange(window, false),
  changes: (window) => countWhere(window, (a, b) => a !== b && !(Number.isNaN(a) && Number.isNaN(b))),
  resets: (window) => countWhere(window, (a, b) => b < a),
};
