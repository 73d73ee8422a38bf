import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PayloadHistory } from '../../src/attribution/payload.ts';
import { random } from './synthetic.ts';

/** Runs with payloads of 100 B to 1 MB, evenly by their logarithm, and a cost that scatters by a third. */
function history(cost: (bytes: number) => number, seed: number, runs = 3000): PayloadHistory {
  const next = random(seed);
  const known = new PayloadHistory();
  for (let i = 0; i < runs; i++) {
    const bytes = Math.round(100 * 10 ** (4 * next()));
    known.size(bytes);
    known.cost(bytes, cost(bytes) * Math.exp((next() - 0.5) * 1.2));
  }
  return known;
}

test('the exponent of a power of the size is found within its bound', () => {
  for (const [exponent, seed] of [
    [0, 1],
    [0.5, 2],
    [1, 3],
    [2, 4],
    [3, 5],
  ] as const) {
    const growth = history((bytes) => 1e-6 * bytes ** exponent, seed).growth()!;
    assert.ok(Math.abs(growth.exponent - exponent) < 0.1, `${exponent}: ${growth.exponent}`);
    assert.ok(growth.lower <= exponent && growth.lower > exponent - 0.2, `${exponent}: ${growth.lower}`);
  }
});

test('a fixed cost hides growth, and never feigns it', () => {
  const quadratic = history((bytes) => 5 + 1e-9 * bytes ** 2, 6).growth()!;
  assert.ok(quadratic.lower > 1 && quadratic.exponent <= 2.05, JSON.stringify(quadratic));
  for (let seed = 10; seed < 60; seed++) {
    const linear = history((bytes) => 5 + 1e-4 * bytes, seed, 1000).growth()!;
    assert.ok(linear.lower < 1.05, `seed ${seed}: ${JSON.stringify(linear)}`);
    const flat = history(() => 3, seed, 1000).growth()!;
    assert.ok(flat.lower < 0.1, `seed ${seed}: ${JSON.stringify(flat)}`);
  }
});

test('few sizes, or sizes that are much the same, tell nothing', () => {
  const two = new PayloadHistory();
  const near = new PayloadHistory();
  for (let i = 0; i < 1000; i++) {
    two.cost(i % 2 === 0 ? 100 : 100_000, i % 2 === 0 ? 1 : 1e6);
    near.cost(1000 + i, (1000 + i) ** 2);
  }
  assert.equal(two.growth(), undefined);
  assert.equal(near.growth(), undefined);
  assert.equal(new PayloadHistory().growth(), undefined);
  const odd = new PayloadHistory();
  for (const value of [Number.NaN, -1, 0, Number.POSITIVE_INFINITY]) odd.cost(value, value);
  assert.equal(odd.growth(), undefined);
});

test('an outlier is one against the history of the task, which learns', () => {
  const known = new PayloadHistory();
  assert.equal(known.size(1e6), false, 'nothing is known yet');
  for (let i = 0; i < 200; i++) assert.equal(known.size(1000 + i), false);
  assert.equal(known.size(3000), false);
  assert.equal(known.size(50_000), true);
  let outliers = 0;
  for (let i = 0; i < 50; i++) outliers += Number(known.size(50_000));
  assert.ok(outliers < 10, `what comes often is no outlier: ${outliers}`);
});

test('what was learnt fades', () => {
  const known = history((bytes) => bytes, 7, 30_000);
  const next = random(8);
  for (let i = 0; i < 200_000; i++) {
    const bytes = 100 * 10 ** (4 * next());
    known.cost(bytes, bytes ** 2);
  }
  assert.ok(known.growth()!.exponent > 1.8, String(known.growth()!.exponent));
});
