import assert from 'node:assert/strict';
import { test } from 'node:test';
import { best } from '../../src/promql/top.ts';

const samples = (text: string) =>
  text.split(' ').map((word) => ({ labels: { i: word.slice(-1) }, value: Number(word.slice(0, -1)) }));
const chosen = (text: string, count: number, greatest: boolean): string =>
  best(samples(text), count, greatest)
    .map(({ labels }) => labels.i)
    .sort()
    .join('');

test('the greatest and the least of many, NaN only where nothing else is left', () => {
  assert.equal(chosen('5a 1b 4c 2d 3e', 2, true), 'ac');
  assert.equal(chosen('5a 1b 4c 2d 3e', 2, false), 'bd');
  assert.equal(chosen('NaNa 1b NaNc 2d', 3, true), 'abd');
  assert.equal(chosen('NaNa NaNb 1c', 1, false), 'c');
});

test('of equals, those that stay in a heap of Go', () => {
  // The heap is [a b]; c replaces the one on top.
  assert.equal(chosen('1a 1b 2c', 2, true), 'bc');
  assert.equal(chosen('1a 1b 1c', 2, true), 'ab');
  assert.equal(chosen('2a 2b 1c', 1, false), 'c');
});
