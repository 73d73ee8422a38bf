import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differences, median, quantile, ratios, spread, withinControl } from '../../bench/lib/stats.ts';

test('quantiles interpolate between the closest ranks, whatever the order of the values', () => {
  // numpy.quantile([1, 2, 3, 4, 10], [0, .25, .5, .75, .95, 1])
  const expected = [
    [0, 1],
    [0.25, 2],
    [0.5, 3],
    [0.75, 4],
    [0.95, 8.8],
    [1, 10],
  ] as const;
  const values = [10, 3, 1, 4, 2];
  for (const [q, value] of expected) assert.ok(Math.abs(quantile(values, q) - value) < 1e-12, `q ${q}`);
  assert.deepEqual(values, [10, 3, 1, 4, 2], 'the sample is left alone');
  assert.equal(median([4, 1]), 2.5);
});

test('the spread leaves a disturbed round out', () => {
  assert.deepEqual(spread([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1000]), [2, 10]);
});

test('an empty sample has no quantile', () => {
  assert.ok(Number.isNaN(median([])));
  assert.deepEqual(spread([]), [Number.NaN, Number.NaN]);
});

test('numbers are ordered as numbers', () => {
  assert.equal(median([10, 100, 9]), 10);
});

test('each round is related to the same round of the base', () => {
  assert.deepEqual(ratios([2, 9], [1, 3]), [2, 3]);
  assert.deepEqual(differences([2, 9], [1, 3]), [1, 6]);
  assert.throws(() => ratios([1], [1, 2]), RangeError);
});

test('the ends of the spread of the control belong to it', () => {
  assert.ok(withinControl(0.9, [0.9, 1.1]));
  assert.ok(withinControl(1.1, [0.9, 1.1]));
  assert.ok(!withinControl(1.11, [0.9, 1.1]));
});
