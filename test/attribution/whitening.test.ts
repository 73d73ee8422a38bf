import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Column, dot } from '../../src/attribution/regression.ts';
import type { Columns } from '../../src/attribution/sample-window.ts';
import { whiteningOf } from '../../src/attribution/whitening.ts';
import { random } from './synthetic.ts';

const LENGTH = 120;

/** Samples of one task whose runs have nothing to do with the heap. */
function samples(heap: Column, time: (i: number) => number = (i) => i): Columns {
  const next = random(7);
  const column = new Float64Array(LENGTH);
  for (let i = 1; i < LENGTH; i++) column[i] = column[i - 1]! + next() * 20;
  return {
    length: LENGTH,
    heap,
    inFlight: new Float64Array(LENGTH),
    time: Float64Array.from({ length: LENGTH }, (_, i) => time(i)),
    tasks: new Map([['a', column]]),
    other: undefined,
    warmUp: undefined,
  };
}

function noise(seed: number): () => number {
  const next = random(seed);
  return () => next() + next() + next() - 1.5;
}

/** Correlation of neighbours, around 0 where they are independent: within 0.3 at 119 of them, but for chance of 1 in 1000. */
function correlation(column: Column): number {
  return dot(column.slice(1), column.slice(0, -1)) / dot(column, column);
}

test('neighbours are independent once whitened, whether the heap stands still, wanders, or both', () => {
  for (const [white, step] of [
    [1, 0],
    [0, 1],
    [3, 1],
  ] as const) {
    for (const seed of [1, 2, 3]) {
      const next = noise(seed);
      let level = 1e6;
      const heap = Float64Array.from({ length: LENGTH }, () => {
        level += step * next();
        return level + white * next();
      });
      const left = correlation(whiteningOf(samples(heap))(heap));
      assert.ok(Math.abs(left) < 0.3, `${white} and ${step}, seed ${seed}: ${left}`);
    }
  }
});

test('a heap that wanders is whitened like its differences, one that stands still is not', () => {
  const step = Float64Array.from({ length: LENGTH }, (_, i) => (i < 60 ? 0 : 1));
  const after = (heap: Column): number => {
    const whitened = whiteningOf(samples(heap))(step);
    return whitened.at(-1)! / whitened[59]!;
  };
  let remembered = 0;
  for (const seed of [1, 2, 3, 4, 5]) {
    const next = noise(seed);
    let level = 0;
    const wanders = Float64Array.from({ length: LENGTH }, () => {
      level += next();
      return level;
    });
    assert.ok(Math.abs(after(wanders)) < 0.01, 'a step is forgotten');
    if (after(Float64Array.from({ length: LENGTH }, next)) > 0.3) remembered++;
  }
  assert.ok(remembered >= 3, `${remembered} of 5`);
});

test('a constant is taken out; whitening is linear; uneven gaps and a heap without noise break nothing', () => {
  const next = noise(5);
  const heap = Float64Array.from({ length: LENGTH }, next);
  const uneven = samples(heap, (i) => i * (i % 10 === 0 ? 1.5 : 1));
  const whiten = whiteningOf({ ...uneven, time: uneven.time.toSorted() });
  assert.ok(whiten(new Float64Array(LENGTH).fill(1e9)).every((value) => value === 0));
  const [a, b] = [Float64Array.from(heap), Float64Array.from(heap, (value) => value ** 2)];
  const sum = whiten(a.map((value, i) => 2 * value + b[i]!));
  const [wa, wb] = [whiten(a), whiten(b)];
  for (let i = 0; i < sum.length; i++) assert.ok(Math.abs(sum[i]! - 2 * wa[i]! - wb[i]!) < 1e-9);
  const flat = whiteningOf(samples(new Float64Array(LENGTH)))(heap);
  assert.ok(flat.length === LENGTH - 1 && flat.every(Number.isFinite));
});
