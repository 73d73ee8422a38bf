import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Watchdog } from '../../src/agent/watchdog.ts';
import type { ActiveRun } from '../../src/bridge/inbox.ts';
import { CURRENT, F64, I32, STATE } from '../../src/bridge/protocol.ts';
import { bothEnds, countOf, MAIL, metricValue, newRegistry, REPORT, taskValue } from './parts.ts';

const INTERVAL_MS = 50;
const THRESHOLD_MS = 1000;
const EXCLUSIVE = { 'task.suspicion': 'exclusive' };

/** A watched thread whose clock and heartbeat the test moves. */
function setup(askSlot: () => Promise<number | undefined> = async () => undefined) {
  const registry = newRegistry();
  const ends = bothEnds();
  const { i32, f64 } = ends.shared;
  const found: (ActiveRun | undefined)[] = [];
  let freed = 0;
  let asked = 0;
  const watchdog = new Watchdog(ends.inbox, {
    registry,
    thresholdMs: THRESHOLD_MS,
    intervalMs: INTERVAL_MS,
    askSlot() {
      asked++;
      return askSlot();
    },
    onBlocked: (run) => found.push(run),
    onFree: () => freed++,
  });
  let nowMs = 0;
  return {
    registry,
    watchdog,
    found,
    ...ends,
    freed: () => freed,
    asked: () => asked,
    beat() {
      f64[F64.beatAt] = performance.now();
      Atomics.add(i32, I32.beat, 1);
    },
    /** The last heartbeat was so long ago. */
    silentFor(ms: number) {
      f64[F64.beatAt] = performance.now() - ms;
    },
    hold(slot: number) {
      i32[I32.current] = slot;
    },
    async check(times = 1, stepMs = INTERVAL_MS) {
      for (let n = 0; n < times; n++) {
        nowMs += stepMs;
        await watchdog.check(nowMs);
      }
    },
  };
}

test('the run that holds a blocked loop is suspected alone, for as long as it holds it', async () => {
  const t = setup();
  t.begin(REPORT, 'innocent');
  const slot = t.begin(MAIL, 'guilty');
  t.drain();
  t.hold(slot);
  await t.check(2);
  t.silentFor(1500);
  await t.check(3);
  assert.equal(t.found.length, 1);
  assert.equal(t.found[0]?.jobId, 'guilty');
  const lag = (): number => taskValue(t.registry, 'task.event_loop.blocked', MAIL, EXCLUSIVE)!;
  assert.ok(lag() >= 1.5 && lag() < 2.5, String(lag()));
  assert.equal(countOf(t.registry, 'task.event_loop.blocked'), 1, 'nobody else is suspected');
  t.silentFor(4000);
  await t.check();
  assert.ok(lag() >= 4, 'it grows');
  assert.equal(t.found.length, 1, 'it is told once');
  assert.equal(t.asked(), 0);
  assert.equal(t.freed(), 0);
  t.beat();
  await t.check();
  assert.equal(lag(), 0);
  assert.equal(t.freed(), 1);
  await t.check(5);
  assert.equal(t.freed(), 1);
});

test('below the threshold nobody is suspected', async () => {
  const t = setup();
  t.hold(t.begin());
  t.drain();
  t.silentFor(THRESHOLD_MS - 200);
  await t.check(5);
  assert.deepEqual(t.found, []);
  assert.equal(countOf(t.registry, 'task.event_loop.blocked'), 0);
});

test('a process that was stopped is not blocked: our own check was late, and then the heart beats at once', async () => {
  const t = setup();
  t.hold(t.begin());
  t.drain();
  t.beat();
  await t.check(5);
  t.silentFor(60_000);
  await t.check(1, 60_000);
  await t.check(2);
  assert.deepEqual(t.found, [], 'not before the thread had its chance to beat');
  t.beat();
  await t.check(5);
  assert.deepEqual(t.found, []);
});

test('a thread that stays silent after the process goes on is blocked', async () => {
  const t = setup();
  t.hold(t.begin());
  t.drain();
  await t.check(2);
  t.silentFor(60_000);
  await t.check(1, 60_000);
  await t.check(3);
  assert.equal(t.found.length, 1);
});

test('checks that all come late say nothing', async () => {
  const t = setup();
  t.hold(t.begin());
  t.drain();
  t.silentFor(5000);
  await t.check(10, 4 * INTERVAL_MS);
  assert.deepEqual(t.found, []);
});

test('code outside of runs is named as none', async () => {
  const t = setup();
  t.begin();
  t.drain();
  t.hold(CURRENT.none);
  t.silentFor(1500);
  await t.check(4);
  assert.deepEqual(t.found, [undefined]);
  assert.ok(
    metricValue(t.registry, 'task.event_loop.blocked', { 'task.name': 'none', ...EXCLUSIVE })! >= 1.5,
  );
  assert.equal(countOf(t.registry, 'task.event_loop.blocked'), 1);
});

test('where nobody keeps track, the thread is asked', async () => {
  const t = setup(async () => 1);
  t.begin(REPORT, 'innocent');
  assert.equal(t.begin(MAIL, 'guilty'), 1);
  t.drain();
  t.hold(CURRENT.unknown);
  t.silentFor(1500);
  await t.check(4);
  assert.equal(t.asked(), 1);
  assert.equal(t.found[0]?.jobId, 'guilty');
  assert.equal(countOf(t.registry, 'task.event_loop.blocked'), 1);
});

test('a thread that answers that no run is current blocks by itself', async () => {
  const t = setup(async () => -1);
  t.begin();
  t.drain();
  t.hold(CURRENT.unknown);
  t.silentFor(1500);
  await t.check(4);
  assert.ok(metricValue(t.registry, 'task.event_loop.blocked', { 'task.name': 'none', ...EXCLUSIVE })! > 1);
});

test('without an answer all tasks in flight share the suspicion; a single one has it alone', async () => {
  const t = setup();
  t.begin(MAIL);
  t.begin(REPORT);
  t.drain();
  t.hold(CURRENT.unknown);
  t.silentFor(1500);
  await t.check(4);
  assert.deepEqual(t.found, [undefined]);
  for (const task of [MAIL, REPORT]) {
    assert.ok(taskValue(t.registry, 'task.event_loop.blocked', task, { 'task.suspicion': 'shared' })! >= 1.5);
    assert.equal(taskValue(t.registry, 'task.event_loop.blocked', task, EXCLUSIVE), undefined);
  }

  const alone = setup();
  alone.begin(MAIL, 'a');
  alone.begin(MAIL, 'b');
  alone.drain();
  alone.hold(CURRENT.unknown);
  alone.silentFor(1500);
  await alone.check(4);
  assert.ok(taskValue(alone.registry, 'task.event_loop.blocked', MAIL, EXCLUSIVE)! >= 1.5);
});

test('a loop that is free again before the answer was never blocked', { timeout: 5000 }, async () => {
  const answer = Promise.withResolvers<number>();
  const t = setup(() => answer.promise);
  t.begin();
  t.drain();
  t.hold(CURRENT.unknown);
  t.silentFor(1500);
  await t.check(2);
  const checks = [t.check(), t.check()];
  await new Promise((later) => setImmediate(later));
  t.beat();
  answer.resolve(0);
  await Promise.all(checks);
  assert.deepEqual(t.found, []);
  assert.equal(countOf(t.registry, 'task.event_loop.blocked'), 0);
});

test('a thread that has ended is not blocked, and no longer suspected', async () => {
  const t = setup();
  t.hold(t.begin());
  t.drain();
  t.silentFor(1500);
  await t.check(4);
  assert.equal(t.found.length, 1);
  Atomics.store(t.shared.i32, I32.state, STATE.closed);
  await t.check(5);
  assert.equal(taskValue(t.registry, 'task.event_loop.blocked', MAIL, EXCLUSIVE), 0);
  assert.equal(t.freed(), 1);
  assert.equal(t.found.length, 1);
});
