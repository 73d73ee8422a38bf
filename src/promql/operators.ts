import type { ArithmeticOperator, ComparisonOperator } from './ast.ts';

/** Go's math.Pow, which differs from JavaScript's where a base of ±1 meets NaN or an infinity. */
function power(base: number, exponent: number): number {
  if (base === 1) return 1;
  return base === -1 && Math.abs(exponent) === Number.POSITIVE_INFINITY ? 1 : base ** exponent;
}

export const ARITHMETIC: Readonly<Record<ArithmeticOperator, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
  '^': power,
  atan2: Math.atan2,
};

export const COMPARISON: Readonly<Record<ComparisonOperator, (a: number, b: number) => boolean>> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};
