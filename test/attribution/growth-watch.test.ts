import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GrowthWatch } from '../../src/attribution/growth-watch.ts';
import { random } from './synthetic.ts';

const MB = 1024 * 1024;
const HEAP = 20 * MB;

/** What a watch needs after each of these collections, 15 s apart; natural ones leave up to `garbage` bytes more. */
function needs(rounds: number, heap: (round: number) => number, garbage = 0.5 * MB): string[] {
  const watch = new GrowthWatch();
  const next = random(1);
  return Array.from({ length: rounds }, (_, round) => {
    watch.note(15_000 * round, heap(round) + (watch.needsExact ? 0 : next() * garbage));
    return watch.needsExact ? 'exact' : 'natural';
  });
}

test('a flat heap needs no exact collection, whatever garbage natural ones leave', () => {
  assert.deepEqual(new Set(needs(500, () => HEAP)), new Set(['natural']));
});

test('one that grows does, as long as it grows', () => {
  const told = needs(60, (round) => HEAP + 0.5 * MB * Math.min(30, round));
  const first = told.indexOf('exact');
  assert.ok(first >= 2 && first <= 6, `${first}`);
  assert.ok(told.slice(first, 30).every((how) => how === 'exact'));
  assert.ok(told.slice(45).every((how) => how === 'natural'));
});

test('growth too slow to be seen between two collections is seen in the end', () => {
  const told = needs(400, (round) => HEAP + round * 20 * 1024);
  assert.ok(told.indexOf('exact') > 30);
  assert.ok(told.filter((how) => how === 'exact').length > 20);
});

test('a fall is no growth, and what comes after it counts from there', () => {
  const fallen = (round: number): number => (round < 5 ? HEAP : 14 * MB);
  assert.ok(needs(40, fallen).every((how) => how === 'natural'));
  const told = needs(40, (round) => fallen(round) + (round < 20 ? 0 : 2 * MB));
  assert.ok(told.slice(0, 20).every((how) => how === 'natural'));
  assert.equal(told.indexOf('exact'), 21);
  assert.equal(told.at(-1), 'natural', 'a level that stays is flat');
});

test('the heap is known to be flat from the third natural collection on, and the sixth exact one', () => {
  const watch = new GrowthWatch();
  const flat = [20, 20, 20, 23, 23, 23, 23, 23, 23, 23, 23].map((heap, round) => {
    watch.note(round, heap * MB);
    return watch.isFlat;
  });
  assert.deepEqual(flat, [false, false, true, true, false, false, false, false, false, false, true]);
});

test('a minute of exact collections is needed to see that slow growth goes on', () => {
  const watch = new GrowthWatch();
  const grow = (ms: number): void => watch.note(ms, HEAP + ms * 50);
  for (let ms = 0; !watch.needsExact; ms += 30_000) grow(ms);
  for (let ms = 300_000; ms < 400_000; ms += 1000) {
    grow(ms);
    assert.ok(watch.needsExact, `${ms}`);
  }
});
