import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RunRate } from '../../../src/tasks/meters/run-rate.ts';

/** 33 continuations of 150 ns each, of 2 % of a core: 4 runs a millisecond. */
const rate = () => new RunRate(0.02, 150e-6);

/** Has so many runs end. */
const end = (runs: RunRate, count: number): void => {
  for (let i = 0; i < count; i++) runs.end();
};

test('there is nothing to tell before a first run has had its time', () => {
  const runs = rate();
  assert.equal(runs.isLow(1e6), undefined);
  assert.equal(runs.begin(1000), true);
  assert.equal(runs.begin(1001), false);
  assert.equal(runs.isLow(1019), undefined);
  assert.equal(runs.isLow(1020), true);
});

test('a first look believes a rate that is clearly low', () => {
  const low = rate();
  low.begin(1000);
  end(low, 20);
  assert.equal(low.isLow(1020), true);
  const more = rate();
  more.begin(1000);
  end(more, 21);
  assert.equal(more.isLow(1020), undefined);
  assert.equal(more.isLow(1030), true, 'they only began together');
});

test('a second decides, and the next one anew', () => {
  const runs = rate();
  runs.begin(0);
  end(runs, 4000);
  assert.equal(runs.isLow(999), undefined);
  assert.equal(runs.isLow(1000), true);
  end(runs, 4100);
  assert.equal(runs.isLow(2000), false);
  assert.equal(runs.isLow(2100), true, 'none since');
});

test('all is forgotten on demand', () => {
  const runs = rate();
  runs.begin(0);
  end(runs, 10_000);
  runs.reset();
  assert.equal(runs.isLow(50), undefined);
  runs.begin(60);
  assert.equal(runs.isLow(80), true);
});
