import { type Aggregator, type BinaryNode, type BinaryOperator, isComparison } from './ast.ts';
import type { RangeFunction } from './functions-rate.ts';
import { quantile } from './kahan.ts';

/** What aggregations of a group go through, one value after the other. */
export interface Accumulator {
  add(value: number): void;
  readonly value: number;
}

/** Where versions of Prometheus differ in what they make of the same expression and series. */
export interface Dialect {
  /** Times are whole milliseconds, so a window that begins 1 ms earlier is closed on the left instead of open. */
  readonly closedMs: 0 | 1;
  /** Operators that change the meaning of a value and yet leave the metric's name. */
  readonly keepName: ReadonlySet<BinaryOperator>;
  /** Whether two results that cannot be told apart are a mistake even where a comparison filters one of them out. */
  readonly filteredMatchesCollide: boolean;
  /** Relative difference below which counts of neighbouring histogram buckets are taken for the same. */
  readonly bucketTolerance: number;
  /** The q-quantile of values, which it sorts. */
  readonly quantile: (q: number, values: number[]) => number;
  /** Functions and aggregations that compute otherwise than {@link V3} does. */
  readonly rangeFunctions: Readonly<Record<string, RangeFunction>>;
  readonly accumulators: Readonly<Partial<Record<Aggregator, () => Accumulator>>>;
}

/** Prometheus 3, as of 3.16: what everything here is unless a comparison asks for another. */
export const V3: Dialect = {
  closedMs: 0,
  keepName: new Set(),
  filteredMatchesCollide: true,
  bucketTolerance: 1e-12,
  quantile,
  rangeFunctions: {},
  accumulators: {},
};

/** Whether the result is another quantity than the operands, so that the metric name goes. */
export function dropsName({ bool, op }: BinaryNode, { keepName }: Dialect): boolean {
  return bool || !(isComparison(op) || keepName.has(op));
}
