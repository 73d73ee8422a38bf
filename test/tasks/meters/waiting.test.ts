import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Waiting } from '../../../src/tasks/meters/waiting.ts';

/** A thread whose times the test sets, ms. @param knowsQueue whether its system tells of the queue for a CPU */
function thread(knowsQueue = true) {
  const kernel = { cpuMs: 1000, queuedMs: 500 };
  const account = {
    cpuMs: 0,
    queuedMs: 0,
    knowsQueue,
    open() {},
    close() {},
    read() {
      account.cpuMs = kernel.cpuMs;
      if (knowsQueue) account.queuedMs = kernel.queuedMs;
      return true;
    },
  };
  const waiting = new Waiting(account);
  waiting.start();
  return { kernel, waiting };
}

interface Slice {
  /** By the clock. */
  readonly ms: number;
  /** What the kernel counts as CPU time meanwhile, which may be late by a tick. */
  readonly cpu: number;
  /** In the queue. */
  readonly queued?: number;
  /** The loop sleeps at its end. */
  readonly slept?: boolean;
}

/** What is charged for a slice. */
function charge(
  { kernel, waiting }: ReturnType<typeof thread>,
  { ms, cpu, queued = 0, slept = false }: Slice,
) {
  kernel.cpuMs += cpu;
  kernel.queuedMs += queued;
  return waiting.without(ms, slept);
}

for (const knowsQueue of [true, false]) {
  const told = knowsQueue ? 'the queue is known' : 'CPU time alone is known';

  test(`${told}: slices on the CPU are charged in full, whatever the ticks of the kernel make of them`, () => {
    const it = thread(knowsQueue);
    assert.equal(charge(it, { ms: 6, cpu: 0 }), 6);
    assert.equal(charge(it, { ms: 4, cpu: 10 }), 4);
    for (let i = 0; i < 100; i++) assert.equal(charge(it, { ms: 5, cpu: 5 }), 5);
  });

  test(`${told}: a callback that sleeps is charged a tick at most`, () => {
    const it = thread(knowsQueue);
    assert.equal(charge(it, { ms: 5, cpu: 5 }), 5);
    assert.equal(charge(it, { ms: 1000, cpu: 2 }), 12);
  });

  test(`${told}: once the loop has slept the kernel’s CPU time is true, and all that is beyond it was waiting`, () => {
    const it = thread(knowsQueue);
    for (let i = 0; i < 100; i++) {
      assert.equal(charge(it, { ms: 5, cpu: 3, queued: 2, slept: true }), 3);
      assert.equal(charge(it, { ms: 5, cpu: 5, slept: true }), 5);
    }
  });

  test(`${told}: CPU time between slices is nobody’s, and makes up for no waiting`, () => {
    const it = thread(knowsQueue);
    for (let i = 0; i < 10; i++) charge(it, { ms: 5, cpu: 50 });
    assert.equal(charge(it, { ms: 100, cpu: 5 }), 15);
  });
}

test('waiting in the queue is taken from the slice that has it, and from no other', () => {
  const it = thread();
  for (let i = 0; i < 100; i++) {
    assert.equal(charge(it, { ms: 20, cpu: 5, queued: 15 }), 5);
    assert.equal(charge(it, { ms: 5, cpu: 5 }), 5);
  }
});

test('where the queue is not known, waiting is taken but for a tick', () => {
  const it = thread(false);
  let [starved, free] = [0, 0];
  for (let i = 0; i < 100; i++) {
    starved += charge(it, { ms: 20, cpu: 5 });
    free += charge(it, { ms: 5, cpu: 5 });
  }
  assert.equal(free, 500);
  assert.equal(starved, 510);
});

test('a wait for a CPU on waking up is no part of the slice after it', () => {
  const it = thread();
  it.kernel.queuedMs += 50;
  it.waiting.check(100);
  // The clock does not have the wait, as the loop had not woken up yet.
  assert.equal(charge(it, { ms: 0.1, cpu: 0.1, queued: 4, slept: true }), 0.1);
  // The kernel is late by a tick.
  assert.equal(charge(it, { ms: 4, cpu: 0 }), 4);
});

test('short slices are looked at on a crowded machine alone, and until it is known', () => {
  const it = thread();
  const short = { ms: 0.3, cpu: 0.1, queued: 0.2 };
  const isLookedAt = (): boolean => charge(it, short) < short.ms;
  assert.ok(isLookedAt());
  it.waiting.check(10_000);
  assert.ok(!isLookedAt());
  it.kernel.queuedMs += 3;
  it.waiting.check(200);
  assert.ok(!isLookedAt(), 'it is asked four times a second');
  it.waiting.check(50);
  assert.ok(isLookedAt());
});
