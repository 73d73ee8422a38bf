import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { type TestContext, test } from 'node:test';
import { startHeartbeat } from '../../src/bridge/heartbeat.ts';
import { F64, I32 } from '../../src/bridge/protocol.ts';
import { bothEnds } from '../agent/parts.ts';

const INTERVAL = 50;

function setup(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const ends = bothEnds();
  const { shared, outbox } = ends;
  const heartbeat = startHeartbeat({
    shared,
    intervalMs: INTERVAL,
    heapLimit: 1e9,
    onBeat: () => {},
    onRefresh: () => {},
    onError: () => {},
    timers: globalThis,
  });
  outbox.onBusy = heartbeat.wake;
  t.after(() => heartbeat.stop());
  return { ...ends, heartbeat, beats: () => shared.i32[I32.beat]!, pause: () => shared.f64[F64.pauseMs]! };
}

test('no beat belongs to whoever begins the first run after a pause', (t) => {
  const storage = new AsyncLocalStorage<string>();
  const { begin, beats } = setup(t);
  const seen: (string | undefined)[] = [];
  const timers = t.mock.method(globalThis, 'setTimeout', () => {
    seen.push(storage.getStore());
    return { unref: () => {} };
  });
  const before = beats();
  storage.run('the caller', () => begin());
  timers.mock.restore();
  assert.equal(beats(), before + 1);
  assert.deepEqual(seen, [undefined]);
});

test('beats are rarer while no run is in flight', (t) => {
  const { beats, pause } = setup(t);
  const before = beats();
  assert.equal(pause(), 4 * INTERVAL);
  t.mock.timers.tick(4 * INTERVAL - 1);
  assert.equal(beats(), before);
  t.mock.timers.tick(1);
  assert.equal(beats(), before + 1);
});

test('the first run is a sign of life, and beats come as often as they should', (t) => {
  const { begin, finish, beats, pause, shared, inbox } = setup(t);
  const before = beats();
  const run = begin();
  assert.equal(beats(), before + 1);
  assert.equal(pause(), 2 * INTERVAL);
  assert.equal(inbox.aliveAt(), shared.f64[F64.beatAt], 'what it blocks, it blocks from then on');
  begin();
  t.mock.timers.tick(2 * INTERVAL);
  t.mock.timers.tick(2 * INTERVAL);
  assert.equal(beats(), before + 3, 'a second run is none');
  finish(run);
});

test('a loop is silent since the callback it has begun, or else since about its last heartbeat', (t) => {
  const { shared, inbox } = setup(t);
  const aliveWith = (turnAt: number): number => {
    shared.f64[F64.beatAt] = 1000;
    shared.f64[F64.turnAt] = turnAt;
    return inbox.aliveAt();
  };
  assert.equal(aliveWith(900), 1000 + 2 * INTERVAL);
  assert.equal(aliveWith(1030), 1030);
  assert.equal(
    aliveWith(9000),
    1000 + 4 * INTERVAL,
    'callbacks that follow one another without a turn of the loop',
  );
});
