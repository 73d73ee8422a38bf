import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Waiting } from '../../../src/tasks/meters/waiting.ts';
import { spin } from '../../helpers/spin.ts';

/** A thread whose CPU time the test sets, ms. @param lagMs by how much it may be told too low */
function thread(lagMs = 0) {
  let cpuMs = 1000;
  const waiting = new Waiting(() => cpuMs, lagMs);
  waiting.start();
  return {
    /** What is charged for a slice of `ms` by the clock, with so much CPU time in it. */
    charge(ms: number, cpu: number): number {
      cpuMs += cpu;
      return waiting.without(ms);
    },
    /** CPU time between two slices. */
    between(ms: number): void {
      cpuMs += ms;
    },
  };
}

test('waiting is taken from the slice that has it, and from no other', () => {
  const { charge } = thread();
  for (let i = 0; i < 100; i++) {
    assert.equal(charge(20, 5), 5);
    assert.equal(charge(5, 5), 5);
  }
});

test('CPU time between slices is nobody’s, and makes up for no later waiting', () => {
  const { charge, between } = thread();
  for (let i = 0; i < 10; i++) {
    between(50);
    assert.equal(charge(5, 5), 5);
  }
  assert.equal(charge(100, 5), 5);
});

test('short slices are looked at once they are 1 ms together, and what they waited is at the cost of the last', () => {
  const { charge } = thread();
  for (let i = 0; i < 3; i++) assert.equal(charge(0.3, 0.1), 0.3);
  assert.equal(charge(0.3, 0.25), 0);
  assert.equal(charge(1.5, 1.25), 1.25, 'more than was left is forgotten');
});

test('a slice of half a millisecond is looked at by itself', () => {
  const { charge } = thread();
  assert.equal(charge(0.25, 0.125), 0.25);
  assert.equal(charge(0.5, 0.25), 0.125, 'less what the one before waited');
  assert.equal(charge(0.5, 0.5), 0.5);
});

test('where CPU time may be told too low, so much of the waiting stays', () => {
  const { charge } = thread(10);
  assert.equal(charge(6, 0), 6);
  assert.equal(charge(1000, 2), 12);
});

test('where CPU time cannot be told, all is charged', () => {
  const waiting = new Waiting(() => undefined);
  waiting.start();
  assert.equal(waiting.without(1000), 1000);
});

const canTell = process.platform === 'linux' && process.threadCpuUsage !== undefined;

test('the CPU time of this thread is exact while it runs', { skip: !canTell }, () => {
  const waiting = new Waiting();
  const shares = Array.from({ length: 200 }, () => {
    waiting.start();
    const start = performance.now();
    const spent = spin(0.5);
    return waiting.without(performance.now() - start) / spent;
  }).sort((a, b) => a - b);
  // By ticks most of them would be 0.
  const median = shares[shares.length >> 1]!;
  assert.ok(median > 0.9 && median < 1.1, `${median}`);
});

test('a sleep is not CPU time', { skip: !canTell }, () => {
  const waiting = new Waiting();
  waiting.start();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  assert.ok(waiting.without(100) < 20);
});
