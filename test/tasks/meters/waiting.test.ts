import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Waiting } from '../../../src/tasks/meters/waiting.ts';

/** A thread whose CPU time the test sets, ms. */
function thread(t: TestContext) {
  const clock = { ms: 1000 };
  t.mock.method(process, 'threadCpuUsage', () => ({ user: clock.ms * 1000, system: 0 }));
  const waiting = new Waiting();
  waiting.reset();
  return { clock, waiting };
}

/** A slice of `ms`, of which the thread was on a CPU for `cpuMs`. */
function slice({ clock, waiting }: ReturnType<typeof thread>, ms: number, cpuMs: number): number {
  clock.ms += cpuMs;
  return waiting.without(ms);
}

test('slices on the CPU are charged in full, whatever the ticks of the kernel make of them', (t) => {
  const it = thread(t);
  assert.equal(slice(it, 6, 0), 6);
  assert.equal(slice(it, 4, 10), 4);
  for (let i = 0; i < 100; i++) assert.equal(slice(it, 5, 5), 5);
});

test('a callback that sleeps is charged a tick at most', (t) => {
  const it = thread(t);
  assert.equal(slice(it, 5, 5), 5);
  assert.equal(slice(it, 1000, 2), 12);
});

test('waiting is taken from the slices that have it, and from no others', (t) => {
  const it = thread(t);
  let [starved, free] = [0, 0];
  for (let i = 0; i < 100; i++) {
    starved += slice(it, 20, 5);
    free += slice(it, 5, 5);
  }
  assert.equal(free, 500);
  assert.equal(starved, 510, 'ten too many are within the ticks');
});

test('CPU time between slices is nobody’s, and makes up for no waiting', (t) => {
  const it = thread(t);
  for (let i = 0; i < 10; i++) slice(it, 5, 50);
  assert.equal(slice(it, 100, 5), 15);
});

test('short slices count towards what was charged', (t) => {
  const it = thread(t);
  for (let i = 0; i < 100; i++) it.waiting.charged(0.5);
  it.clock.ms += 50;
  assert.equal(slice(it, 5, 5), 5);
});
