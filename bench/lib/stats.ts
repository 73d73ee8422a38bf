/** 10th and 90th percentile of a sample. */
export type Spread = readonly [low: number, high: number];

/**
 * Quantile by linear interpolation between the closest ranks (type 7 of Hyndman and Fan 1996, as in R and NumPy).
 *
 * @param q 0 to 1.
 * @returns NaN for an empty sample.
 */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const rank = q * (sorted.length - 1);
  const below = Math.floor(rank);
  const low = sorted[below]!;
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return low + (high - low) * (rank - below);
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Not the extremes, which one disturbed round decides. @returns `[NaN, NaN]` for an empty sample. */
export function spread(values: readonly number[]): Spread {
  return [quantile(values, 0.1), quantile(values, 0.9)];
}

/** True when `value` may as well be what two identical programs differ by: it lies in the spread of the A/A control. */
export function withinControl(value: number, control: Spread): boolean {
  return value >= control[0] && value <= control[1];
}

/** `values[i] / base[i]`: each round against the same round of the base. */
export function ratios(values: readonly number[], base: readonly number[]): number[] {
  return pairs(values, base).map(([value, other]) => value / other);
}

/** `values[i] - base[i]`. */
export function differences(values: readonly number[], base: readonly number[]): number[] {
  return pairs(values, base).map(([value, other]) => value - other);
}

function pairs(values: readonly number[], base: readonly number[]): [number, number][] {
  if (values.length !== base.length) throw new RangeError(`${values.length} rounds against ${base.length}`);
  return values.map((value, i) => [value, base[i]!]);
}
