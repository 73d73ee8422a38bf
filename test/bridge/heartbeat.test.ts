import assert from 'node:assert/strict';
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
  });
  outbox.onBusy = heartbeat.wake;
  t.after(() => heartbeat.stop());
  return { ...ends, heartbeat, beats: () => shared.i32[I32.beat]!, rest: () => shared.f64[F64.restMs]! };
}

test('beats are rarer while no run is in flight, which counts as no silence', (t) => {
  const { shared, inbox, beats, rest } = setup(t);
  const before = beats();
  t.mock.timers.tick(INTERVAL);
  assert.equal(beats(), before + 1);
  assert.equal(rest(), 3 * INTERVAL);
  t.mock.timers.tick(3 * INTERVAL);
  assert.equal(beats(), before + 1);
  t.mock.timers.tick(INTERVAL);
  assert.equal(beats(), before + 2);
  shared.f64[F64.beatAt] = inbox.now() - 4 * INTERVAL;
  assert.ok(inbox.lagMs() < 2 * INTERVAL);
});

test('the first run is a sign of life, and beats come as often as they should', (t) => {
  const { begin, finish, beats, rest } = setup(t);
  t.mock.timers.tick(INTERVAL);
  const before = beats();
  const run = begin();
  assert.equal(beats(), before + 1);
  assert.equal(rest(), 0);
  begin();
  t.mock.timers.tick(INTERVAL);
  t.mock.timers.tick(INTERVAL);
  assert.equal(beats(), before + 3, 'a second run is none');
  finish(run);
});
