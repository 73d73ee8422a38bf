import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Timers } from '../../src/agent/timers.ts';

type Calls = Record<string, number>;

test('short intervals share the timer of the shortest, others have one of their own', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const own = t.mock.method(globalThis, 'setInterval');
  const timers = new Timers({ beatMs: 50 });
  const calls: Calls = {};
  for (const ms of [50, 100, 240, 20, 1000]) timers.every(ms, () => (calls[ms] = (calls[ms] ?? 0) + 1));
  assert.deepEqual(
    own.mock.calls.map(({ arguments: [, ms] }) => ms),
    [50, 20, 1000],
  );
  t.mock.timers.tick(1000);
  assert.deepEqual(calls, { 20: 50, 50: 20, 100: 10, 240: 4, 1000: 1 });
  timers.stop();
  t.mock.timers.tick(1000);
  assert.deepEqual(calls, { 20: 50, 50: 20, 100: 10, 240: 4, 1000: 1 });
});

test('at a slower pace there are fewer wake-ups, and only what is finer than them comes less often', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let pace = 2;
  const timers = new Timers({ beatMs: 50, pace: () => pace });
  const calls: Calls = {};
  for (const ms of [50, 100, 150, 250]) timers.every(ms, () => (calls[ms] = (calls[ms] ?? 0) + 1));
  t.mock.timers.tick(50);
  assert.deepEqual(calls, { 50: 1 });
  t.mock.timers.tick(2950);
  assert.deepEqual(calls, { 50: 30, 100: 29, 150: 19, 250: 11 });
  pace = 1;
  t.mock.timers.tick(100);
  t.mock.timers.tick(500);
  assert.equal(calls[50], 41);
  timers.stop();
});
