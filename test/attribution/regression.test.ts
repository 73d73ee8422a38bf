import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Basis, coefficient, dot, longRunVariance } from '../../src/attribution/regression.ts';
import { random } from './synthetic.ts';

const column = (...values: number[]): Float64Array => Float64Array.from(values);
const ones = (length: number): Float64Array => new Float64Array(length).fill(1);

function near(actual: number, expected: number, tolerance: number): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected} ± ${tolerance}`);
}

test('a fit of several columns gives the coefficients that made the data', () => {
  const a = column(1, 2, 4, 4, 7, 8, 11);
  const b = column(3, 1, 4, 1, 5, 9, 2);
  const y = a.map((value, i) => 10 + 3 * value - 2 * b[i]!);
  const constant = new Basis().with(ones(7));
  near(coefficient(constant.with(b), a, y)!.value, 3, 1e-9);
  near(coefficient(constant.with(a), b, y)!.value, -2, 1e-9);
});

test('the standard error is the textbook one where residuals are independent', () => {
  // Anscombe's first set: slope 0.5001, standard error 0.1179 (American Statistician 27, 1973).
  // In an order in which neighbours happen to be unrelated.
  const x = column(8, 9, 4, 5, 12, 13, 14, 6, 7, 10, 11);
  const y = column(6.95, 8.81, 4.26, 5.68, 10.84, 7.58, 9.96, 7.24, 4.82, 8.04, 8.33);
  const fit = coefficient(new Basis().with(ones(11)), x, y)!;
  near(fit.value, 0.5001, 1e-4);
  near(fit.standardError, 0.1179, 1e-4);
  near(fit.z, fit.value / fit.standardError, 1e-9);
});

test('autocorrelated residuals widen the standard error', () => {
  const next = random(5);
  const x = Float64Array.from({ length: 100 }, (_, i) => i);
  let slow = 0;
  const noise = x.map(() => {
    slow = 0.95 * slow + next() - 0.5;
    return slow;
  });
  const shuffled = [...noise].map((value) => [next(), value] as const).sort((a, b) => a[0] - b[0]);
  const constant = new Basis().with(ones(100));
  const correlated = coefficient(constant, x, noise)!.standardError;
  const independent = coefficient(constant, x, column(...shuffled.map(([, value]) => value)))!.standardError;
  assert.ok(correlated > 1.5 * independent, `${correlated} against ${independent}`);
});

test('long-run variance weighs autocovariances with the Bartlett kernel', () => {
  // Bandwidth ceil(1.3 * 2) = 3: weights 2/3 and 1/3.
  near(longRunVariance(column(1, 2, 3, 4)), 30 + (2 * 2 * 20) / 3 + (2 * 11) / 3, 1e-9);
});

test('a column that the others determine has no coefficient', () => {
  const a = column(1, 2, 4, 4, 7);
  const basis = new Basis().with(ones(5), a);
  assert.equal(
    coefficient(
      basis,
      a.map((value) => 5 * value - 1),
      column(1, 2, 3, 4, 6),
    ),
    undefined,
  );
  assert.equal(coefficient(basis, new Float64Array(5), a), undefined);
  assert.equal(basis.with(a.map((value) => 2 * value)).size, 2);
});

test('a fit without a degree of freedom left has no coefficient', () => {
  assert.equal(coefficient(new Basis().with(ones(2)), column(1, 2), column(3, 5)), undefined);
});

test('a residual is orthogonal to the basis even for columns that are almost parallel', () => {
  const a = Float64Array.from({ length: 50 }, (_, i) => 1e4 + i);
  const b = a.map((value, i) => value + (i % 7));
  const basis = new Basis().with(ones(50), a);
  const rest = basis.residual(b);
  const cosine = (other: Float64Array) => dot(rest, other) / Math.sqrt(dot(rest, rest) * dot(other, other));
  near(cosine(ones(50)), 0, 1e-9);
  near(cosine(a), 0, 1e-9);
});
