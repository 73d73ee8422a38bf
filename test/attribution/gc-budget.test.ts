import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GcBudget, type GcBudgetOptions } from '../../src/attribution/gc-budget.ts';
import { GrowthWatch } from '../../src/attribution/growth-watch.ts';

interface Run {
  options?: GcBudgetOptions;
  seconds: number;
  pauseMs: number;
  /** Heap after a collection, and right now, in bytes, by seconds. */
  after: (seconds: number) => number;
  used?: (seconds: number) => number;
}

/** Times in seconds at which a collection was made, asked every 100 ms. */
function collections({ options, seconds, pauseMs, after, used = after }: Run): number[] {
  const budget = new GcBudget(options);
  const growth = new GrowthWatch();
  const times: number[] = [];
  for (let ms = 0; ms <= seconds * 1000; ms += 100) {
    if (!budget.wants(ms, used(ms / 1000))) continue;
    growth.note(ms, after(ms / 1000));
    budget.record(ms + pauseMs, pauseMs, growth.isFlat);
    times.push(ms / 1000);
  }
  return times;
}

const gaps = (times: readonly number[]): number[] => times.slice(1).map((time, i) => time - times[i]!);
const growing = (seconds: number): number => 10e6 + 250e3 * seconds;

test('the first collection comes after 5 s, then at most one a second', () => {
  const times = collections({ seconds: 60, pauseMs: 1, after: growing });
  assert.equal(times[0], 5);
  assert.ok(Math.min(...gaps(times)) >= 1);
  assert.ok(times.length > 40);
});

test('pauses stay within the budget', () => {
  for (const [pauseMs, budget] of [
    [8, 0.005],
    [40, 0.005],
    [8, 0.001],
  ] as const) {
    const times = collections({ options: { budget }, seconds: 300, pauseMs, after: growing });
    assert.ok(times.length > 5);
    assert.ok((times.length - 1) * pauseMs <= budget * 300_000, `${times.length} of ${pauseMs} ms`);
    assert.ok(Math.min(...gaps(times)) >= pauseMs / budget / 1000);
  }
});

test('the warm-up counts from startMs where it is given', () => {
  const budget = new GcBudget({ startMs: 0 });
  assert.equal(budget.wants(4900, 10e6), false);
  assert.equal(budget.wants(5000, 10e6), true);
});

test('while memory is flat the waits grow to half a minute, garbage or not', () => {
  const sawtooth = (seconds: number): number => 10e6 + 2e6 * (seconds % 10);
  for (const used of [() => 10e6, sawtooth]) {
    const times = collections({ seconds: 600, pauseMs: 5, after: () => 10e6, used });
    const last = gaps(times).slice(-5);
    for (const gap of last) assert.ok(gap >= 30 && gap < 31, `${gap}`);
  }
});

test('growth ends the waiting: at the latest at the next look, at once when the heap goes beyond its garbage', () => {
  const late = (perSecond: number) => (seconds: number) => 10e6 + perSecond * Math.max(0, seconds - 300);
  for (const perSecond of [50e3, 2e6]) {
    const times = collections({ seconds: 600, pauseMs: 5, after: late(perSecond) });
    assert.ok(times.filter((time) => time < 300).length < 20);
    const first = times.find((time) => time > 300)!;
    assert.ok(first < (perSecond > 1e6 ? 302 : 330), `${first}`);
    const dense = gaps(times.filter((time) => time > 420));
    assert.ok(Math.max(...dense) < 10, `${Math.max(...dense)}`);
  }
});

test('pauses that jobs would feel are repeated after 10 minutes, then ever later, up to an hour', () => {
  const times = collections({ seconds: 5 * 3600, pauseMs: 250, after: growing });
  const minutes = gaps(times).map((gap) => Math.round(gap / 60));
  assert.deepEqual(minutes, [1, 10, 20, 40, 60, 60, 60]);
  assert.ok(
    collections({ options: { longestPauseMs: 300 }, seconds: 900, pauseMs: 250, after: growing }).length > 10,
  );
});

test('a short pause ends the rest after long ones', () => {
  const budget = new GcBudget({ startMs: 0 });
  budget.record(6000, 900, false);
  budget.record(186_000, 900, false);
  assert.equal(budget.wants(186_000 + 599_999, 20e6), false);
  assert.equal(budget.wants(186_000 + 600_000, 20e6), true);
  budget.record(786_000, 20, false);
  assert.equal(budget.wants(786_000 + 4000, 20e6), true);
});

test('one long pause, as a busy machine makes them, is not the last', () => {
  const budget = new GcBudget({ startMs: 0 });
  budget.record(6000, 900, false);
  assert.equal(budget.wants(6000 + 900 / 0.005 - 1, 20e6), false);
  assert.equal(budget.wants(6000 + 900 / 0.005, 20e6), true);
});
