/** One variable over all samples, oldest first. */
export type Column = Float64Array;

/** One coefficient of a least-squares fit. */
export interface Coefficient {
  /** In units of y per unit of x. */
  readonly value: number;
  /** Standard error that allows for autocorrelated residuals; greater than 0. */
  readonly standardError: number;
  /** `value / standardError`. */
  readonly z: number;
}

/** A column that keeps less than this share of its sum of squares is a combination of the others. */
const COLLINEAR = 1e-9;

export function dot(a: Column, b: Column): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Changes `column` by what it has in common with `direction`, a unit vector. */
export function takeOut(column: Column, direction: Column): void {
  const share = dot(direction, column);
  for (let i = 0; i < column.length; i++) column[i]! -= share * direction[i]!;
}

/** `column` as a unit vector; undefined when its sum of squares is nothing but rounding beside `whole`. */
export function unit(column: Column, whole: number): Column | undefined {
  const squares = dot(column, column);
  if (!(squares > COLLINEAR * whole)) return undefined;
  const norm = Math.sqrt(squares);
  return column.map((value) => value / norm);
}

/** An orthonormal basis of the columns that a fit accounts for. Immutable: `with` makes a larger one. */
export class Basis {
  readonly #directions: readonly Column[];

  constructor(directions: readonly Column[] = []) {
    this.#directions = directions;
  }

  get size(): number {
    return this.#directions.length;
  }

  /** What is left of `column` once all that the basis explains is taken out. */
  residual(column: Column): Column {
    const rest = Float64Array.from(column);
    // Twice, because one pass of Gram-Schmidt loses digits on the near-parallel counts of busy tasks.
    for (let pass = 0; pass < 2; pass++) {
      for (const direction of this.#directions) takeOut(rest, direction);
    }
    return rest;
  }

  /** The basis of these columns too; columns that add nothing new are left out. */
  with(...columns: readonly Column[]): Basis {
    let basis: Basis = this;
    for (const column of columns) {
      const direction = unit(basis.residual(column), dot(column, column));
      if (direction !== undefined) basis = new Basis([...basis.#directions, direction]);
    }
    return basis;
  }
}

/**
 * Coefficient of `x` when `y` is fitted on `x` and on all of `others` (Frisch-Waugh-Lovell).
 * Undefined when `others` determine `x`, or when no degree of freedom is left.
 */
export function coefficient(others: Basis, x: Column, y: Column): Coefficient | undefined {
  const rest = others.residual(x);
  const squares = dot(rest, rest);
  const degrees = y.length - others.size - 1;
  if (degrees < 1 || !(squares > COLLINEAR * dot(x, x))) return undefined;
  const unexplained = others.residual(y);
  const value = dot(rest, unexplained) / squares;
  const scores = new Float64Array(y.length);
  let errors = 0;
  for (let i = 0; i < scores.length; i++) {
    const error = unexplained[i]! - value * rest[i]!;
    errors += error * error;
    scores[i] = error * rest[i]!;
  }
  const independent = (errors / degrees) * squares;
  const correlated = longRunVariance(scores) * (y.length / degrees);
  // In a small sample the robust variance can come out too small by chance: never trust it below the plain one.
  const standardError = Math.sqrt(Math.max(independent, correlated, Number.MIN_VALUE)) / squares;
  return { value, standardError, z: value / standardError };
}

/**
 * Sum of the autocovariances of `scores` under Bartlett weights (Newey and West 1987), with the bandwidth
 * 1.3 sqrt(n) of Lazarus, Lewis, Stock and Watson 2018.
 */
export function longRunVariance(scores: Column): number {
  const bandwidth = Math.ceil(1.3 * Math.sqrt(scores.length));
  let sum = dot(scores, scores);
  for (let lag = 1; lag < bandwidth; lag++) {
    let products = 0;
    for (let i = lag; i < scores.length; i++) products += scores[i]! * scores[i - lag]!;
    sum += 2 * (1 - lag / bandwidth) * products;
  }
  return sum;
}
