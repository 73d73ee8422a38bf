import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Timers } from '../../src/agent/timers.ts';

test('short intervals share the timer of the shortest, others have one of their own', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const made = t.mock.method(globalThis, 'setInterval');
  const timers = new Timers(50);
  const calls: Record<string, number> = {};
  for (const ms of [50, 100, 240, 20, 1000]) timers.every(ms, () => (calls[ms] = (calls[ms] ?? 0) + 1));
  assert.deepEqual(
    made.mock.calls.map(({ arguments: [, ms] }) => ms),
    [50, 20, 1000],
  );
  t.mock.timers.tick(1000);
  assert.deepEqual(calls, { 20: 50, 50: 20, 100: 10, 240: 4, 1000: 1 });
  timers.stop();
  t.mock.timers.tick(1000);
  assert.deepEqual(calls, { 20: 50, 50: 20, 100: 10, 240: 4, 1000: 1 });
});
