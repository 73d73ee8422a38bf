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

test('what is rare waits for what is urgent', (t) => {
  t.mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
  const pass = (ms: number): void => {
    for (let passed = 0; passed < ms; passed += 20) t.mock.timers.tick(20);
  };
  let isUrgent = true;
  const timers = new Timers({ beatMs: 50, isUrgent: () => isUrgent });
  const calls: Calls = {};
  for (const ms of [20, 50, 1000]) timers.every(ms, () => (calls[ms] = (calls[ms] ?? 0) + 1));
  pass(1000);
  pass(300);
  assert.equal(calls[20], 65);
  assert.equal(calls[50], 26);
  assert.equal(calls[1000], undefined);
  isUrgent = false;
  pass(100);
  assert.equal(calls[1000], 1);
  pass(600);
  assert.equal(calls[1000], 2, 'the next comes in its time');
  isUrgent = true;
  pass(2000);
  assert.equal(calls[1000], 3, 'not for ever');
  timers.stop();
  isUrgent = false;
  pass(1000);
  assert.equal(calls[1000], 3);
});
