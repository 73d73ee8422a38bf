import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LearntDurations } from '../../src/attribution/learnt.ts';

test('a quantile is never too low, and at most 9 % too high', () => {
  const learnt = new LearntDurations();
  const values = Array.from({ length: 5000 }, (_, i) => 1.003 ** i / 1000);
  for (const ms of values) learnt.add(ms);
  for (const q of [0.5, 0.9, 0.99, 0.999]) {
    const exact = values[Math.ceil(q * values.length) - 1]!;
    const found = learnt.quantile(q)!;
    assert.ok(found >= exact && found <= exact * 1.0906, `${q}: ${found} for ${exact}`);
  }
  assert.equal(learnt.seen, 5000);
});

test('without values there is none; values beyond the bins count as the nearest', () => {
  const learnt = new LearntDurations();
  assert.equal(learnt.quantile(0.99), undefined);
  for (const ms of [0, -1, Number.NaN]) learnt.add(ms);
  assert.ok(learnt.quantile(0.99)! < 0.01);
  for (let i = 0; i < 10; i++) learnt.add(1e300);
  assert.equal(learnt.quantile(0.99), 2 ** 30);
});

test('the past fades: a task that has become slow is judged by what it is now', () => {
  const learnt = new LearntDurations();
  for (let i = 0; i < 100_000; i++) learnt.add(1);
  assert.ok(learnt.quantile(0.5)! < 1.2);
  for (let i = 0; i < 20_000; i++) learnt.add(100);
  assert.ok(learnt.quantile(0.5)! > 100);
});
