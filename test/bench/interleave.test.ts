import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interleave, rotated } from '../../bench/lib/interleave.ts';

test('every variant has every place once in as many rounds as there are variants', () => {
  const rounds = [0, 1, 2].map((round) => rotated(['a', 'b', 'c'], round));
  assert.deepEqual(rounds, [
    ['a', 'b', 'c'],
    ['b', 'c', 'a'],
    ['c', 'a', 'b'],
  ]);
  assert.deepEqual(rotated([], 3), []);
});

test('one run at a time, results by variant in the order of the rounds', async () => {
  let running = 0;
  const results = await interleave(['a', 'b'], 3, async (variant, round) => {
    assert.equal(++running, 1);
    await new Promise((later) => setImmediate(later));
    running--;
    return `${variant}${round}`;
  });
  assert.deepEqual(
    [...results],
    [
      ['a', ['a0', 'a1', 'a2']],
      ['b', ['b0', 'b1', 'b2']],
    ],
  );
});
