import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Seen } from '../../src/agent/blocks/inspection.ts';
import type { Look } from '../../src/agent/blocks/stack.ts';
import { type Block, Watchdog } from '../../src/agent/watchdog.ts';
import type { ActiveRun } from '../../src/bridge/inbox.ts';
import { CURRENT, F64, I32, STATE } from '../../src/bridge/protocol.ts';
import { bothEnds, countOf, MAIL, metricValue, newRegistry, REPORT, taskValue } from './parts.ts';

const INTERVAL_MS = 50;
const THRESHOLD_MS = 1000;
const EXCLUSIVE = { 'task.suspicion': 'exclusive' };

/** What a thread that is looked into says. */
function seen(over: Partial<Seen> = {}): Seen {
  return { kind: 'code', slot: undefined, stack: '', cpuMs: undefined, ...over };
}

interface Looking {
  /** What the watchdog is told when it decides; null where it cannot look. */
  readonly see?: (() => Promise<Seen>) | null;
  readonly cpuMs?: () => number;
  readonly marks?: readonly number[];
}

/** A watched thread whose clock and heartbeat the test moves. */
function setup({ see = async () => seen({ kind: 'native' }), cpuMs, marks = [THRESHOLD_MS] }: Looking = {}) {
  const registry = newRegistry();
  const ends = bothEnds();
  const { i32, f64 } = ends.shared;
  const found: (ActiveRun | undefined)[] = [];
  const blocks: Block[] = [];
  const ended: Block[] = [];
  let asked = 0;
  let held = false;
  let look: Look | undefined;
  const watchdog = new Watchdog(ends.inbox, {
    registry,
    marks: () => marks,
    intervalMs: INTERVAL_MS,
    inspect() {
      if (see === null) return undefined;
      asked++;
      return {
        see,
        get look() {
          return look;
        },
      };
    },
    cpuMs: () => cpuMs?.(),
    ownCpuMs: () => undefined,
    isHeld: () => held,
    onBlocked(block) {
      found.push(block.run);
      blocks.push({ ...block });
    },
    onFree: (block) => ended.push(block),
  });
  let nowMs = 0;
  return {
    registry,
    watchdog,
    found,
    ...ends,
    blocks,
    ended,
    freed: () => ended.length,
    /** The agent keeps the thread, or no longer. */
    keep(now: boolean) {
      held = now;
    },
    /** The thread says where it was. */
    answers(answer: Look) {
      look = answer;
    },
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
  assert.equal(t.asked(), 1, 'it is asked where it is, once');
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

test('a look shortly before the threshold waits for it, unless the heart beats meanwhile', async () => {
  const t = setup();
  t.hold(t.begin());
  t.drain();
  await t.check();
  t.silentFor(THRESHOLD_MS - INTERVAL_MS / 2);
  await t.check(2);
  assert.deepEqual(t.found, [], 'so far it may merely have been stopped');
  const look = t.check();
  t.beat();
  await look;
  assert.deepEqual(t.found, []);
  // Again where this very thread was late: then it is for the next look to judge.
  for (let tries = 0; tries < 20 && t.found.length === 0; tries++) {
    t.beat();
    await t.check();
    t.silentFor(THRESHOLD_MS - INTERVAL_MS / 2);
    await t.check(3);
  }
  assert.equal(t.found.length, 1);
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
  await t.check(5);
  assert.equal(t.found.length, 0, 'the time in which nothing ran does not count');
  t.silentFor(60_000 + 2 * THRESHOLD_MS);
  await t.check(3);
  assert.equal(t.found.length, 1);
  const lag = taskValue(t.registry, 'task.event_loop.blocked', MAIL, EXCLUSIVE)!;
  assert.ok(lag >= 2 && lag < 4, String(lag));
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
  const t = setup({ see: async () => seen({ slot: 1 }) });
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
  const t = setup({ see: async () => seen({ slot: -1 }) });
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
  const answer = Promise.withResolvers<Seen>();
  const t = setup({ see: () => answer.promise });
  t.begin();
  t.drain();
  t.hold(CURRENT.unknown);
  t.silentFor(1500);
  await t.check(2);
  const checks = [t.check(), t.check()];
  await new Promise((later) => setImmediate(later));
  t.beat();
  answer.resolve(seen({ slot: 0 }));
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

test('a thread that ran while this one had no time is blocked all the same', async () => {
  let cpu = 0;
  const t = setup({ cpuMs: () => cpu });
  t.hold(t.begin());
  t.drain();
  t.beat();
  await t.check(2);
  t.silentFor(1500);
  for (let n = 0; n < 4; n++) {
    cpu += 20;
    await t.check(1, 4 * INTERVAL_MS);
  }
  assert.equal(t.found.length, 1);
  assert.equal(t.blocks[0]?.cpuMs, 40, 'since the last beat that was seen');
});

for (const kind of ['host_starved', 'debugger'] as const) {
  test(`no task is to blame when it is ${kind}; that counts once a silence`, async () => {
    let kinds: Seen = seen({ kind });
    const t = setup({ see: async () => kinds });
    t.hold(t.begin());
    t.drain();
    await t.check(2);
    t.silentFor(1500);
    await t.check(6);
    assert.deepEqual(t.found, []);
    assert.equal(countOf(t.registry, 'task.event_loop.blocked'), 0);
    assert.equal(metricValue(t.registry, 'taskwarden.blocks.excused', { reason: kind }), 1);
    kinds = seen();
    // What a debugger took does not count; a starved thread that turns out to be busy was busy all the time.
    await t.check(3);
    assert.equal(t.found.length, kind === 'debugger' ? 0 : 1);
    t.silentFor(4000);
    await t.check(3);
    assert.equal(t.found.length, 1);
  });
}

test('it is told once for every mark that it passes, and when it ends, with how long it was', async () => {
  const t = setup({ see: async () => seen({ stack: 'at f' }), marks: [200, 1000, 3000] });
  t.hold(t.begin());
  t.drain();
  t.beat();
  await t.check(1);
  t.silentFor(400);
  await t.check(5);
  assert.equal(t.blocks.length, 1);
  t.silentFor(1100);
  await t.check(3);
  assert.equal(t.blocks.length, 2);
  t.silentFor(9000);
  await t.check(3);
  assert.equal(t.blocks.length, 3);
  assert.deepEqual(
    t.blocks.map(({ kind, stack }) => [kind, stack]),
    Array(3).fill(['code', 'at f']),
  );
  t.beat();
  await t.check();
  assert.equal(t.ended.length, 1);
  assert.ok(t.ended[0]!.durationMs >= 9000);
});

test('what a thread says when native code has returned is the stack of the block, if its run is the same', async () => {
  for (const [slot, expected] of [
    [0, 'at late'],
    [1, ''],
  ] as const) {
    const t = setup();
    t.hold(t.begin());
    t.drain();
    await t.check(2);
    t.silentFor(1500);
    await t.check(4);
    assert.deepEqual([t.blocks[0]?.kind, t.blocks[0]?.stack], ['native', '']);
    t.answers({ slot, stack: 'at late', heap: undefined });
    t.beat();
    await t.check();
    assert.equal(t.ended[0]?.stack, expected);
  }
});

test('a block in which collections took most of the time is theirs, which is known when it is over', async () => {
  const t = setup({ see: async () => seen() });
  t.hold(t.begin());
  t.drain();
  await t.check(2);
  t.silentFor(1500);
  await t.check(4);
  assert.equal(t.blocks[0]?.kind, 'code');
  t.shared.f64[F64.gcSumMs + 1]! += 1e6;
  t.beat();
  await t.check();
  assert.equal(t.ended[0]?.kind, 'gc');
});

test('the time in which the agent itself keeps the thread is no block', async () => {
  const t = setup();
  t.hold(t.begin());
  t.drain();
  await t.check(2);
  t.keep(true);
  t.silentFor(5000);
  await t.check(5);
  t.keep(false);
  await t.check(5);
  assert.deepEqual(t.found, []);
  t.silentFor(7000);
  await t.check(1);
  assert.equal(t.found.length, 1);
});
