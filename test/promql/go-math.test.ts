import assert from 'node:assert/strict';
import { test } from 'node:test';
import { log2, log10, power } from '../../src/promql/go-math.ts';

/** Printed by a Go program (1.26, amd64), to the last bit. */
const POWERS: readonly (readonly [base: number, exponent: number, result: number])[] = [
  [10, 22, 1e22],
  [10, -5, 1e-5],
  [1.1, 10, 2.593742460100002],
  [-3, 5, -243],
  [2, 0.5, Math.SQRT2],
  [7, -0.5, 0.3779644730092272],
  [-2, 1.5, Number.NaN],
  [0.5, 1074, 5e-324],
  [3, 33, 5559060566555523],
  [1.0000001, 1e9, 2.688103843211962e43],
  [Number.NEGATIVE_INFINITY, 3, Number.NEGATIVE_INFINITY],
  [0, -1, Number.POSITIVE_INFINITY],
  [5, 1, 5],
  [-1, Number.POSITIVE_INFINITY, 1],
  [1, Number.NaN, 1],
  [2, 0, 1],
  [12.25, 7, 41395451.22369385],
  [2, 1e300, Number.POSITIVE_INFINITY],
  [2, -5000, 0],
];

test('powers are those of Go', () => {
  for (const [base, exponent, result] of POWERS) {
    assert.equal(power(base, exponent), result, `${base} ^ ${exponent}`);
  }
});

test('logarithms are those of Go', () => {
  const logarithms = [
    [1000, 9.965784284662087, 3],
    [1e-5, -16.609640474436812, -5],
    [3, 1.5849625007211563, 0.4771212547196624],
    [0.1, -3.321928094887362, -0.9999999999999999],
    [8, 3, 0.9030899869919435],
    [1023, 9.99859042974533, 3.0098756337121597],
    [0, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY],
    [-1, Number.NaN, Number.NaN],
  ] as const;
  for (const [value, two, ten] of logarithms) {
    assert.equal(log2(value), two, `log2(${value})`);
    assert.equal(log10(value), ten, `log10(${value})`);
  }
});
