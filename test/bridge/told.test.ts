import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Inbox, MAIN_THREAD } from '../../src/bridge/inbox.ts';
import { Outbox } from '../../src/bridge/outbox.ts';
import { createShared, type Told } from '../../src/bridge/protocol.ts';
import { monotonicMs } from '../../src/model/clock.ts';

const opened = (name: string) => ({
  name,
  group: 'g',
  states: [-1, 1, 0],
  calls: [0, 1, 0, 0, 0],
  openings: 1,
  fallbacks: 0,
});
const closed = (name: string) => ({
  name,
  group: 'g',
  states: [1, 0, 0],
  calls: [2, 0, 0, 0, 0],
  openings: 0,
  fallbacks: 0,
});

function read(inbox: Inbox) {
  const found = { tallies: [] as unknown[], breakers: [] as unknown[], traffic: [] as unknown[] };
  inbox.drain({
    run() {},
    task() {},
    span() {},
    collection() {},
    tally: ({ task }, name, delta) => found.tallies.push([task, name, delta]),
    breaker: ({ name, states, calls }) => found.breakers.push([name, states, calls]),
    traffic: (task, { address }) => found.traffic.push([task?.task, address]),
    unreadable(error) {
      throw error;
    },
  });
  return found;
}

test('an agent that takes over knows names and states, and reads on where the former one stopped', () => {
  const { buffer } = createShared();
  const shared = new Inbox(buffer, 0).shared;
  const outbox = new Outbox(shared, 10);
  const offset = monotonicMs() - performance.now();
  const resize = outbox.taskId('test', 'images', 'resize')!;
  outbox.server({ id: 0, address: 'db', port: 5432 });
  outbox.queue({ system: 'bullmq', queue: 'images', with: () => 'what cannot be sent' });
  outbox.tally([[resize, 'socket', 2]]);
  outbox.breaker(closed('db'));
  read(new Inbox(buffer, offset));
  // Written, but not read by the one that dies.
  const crop = outbox.taskId('test', 'images', 'crop')!;
  outbox.tally([
    [resize, 'socket', 1],
    [resize, 'timer', 1],
    [crop, 'cpu_sampled', 70],
  ]);
  outbox.breaker(opened('db'));

  const told: Told = structuredClone(outbox.told());
  assert.deepEqual(
    told.tasks.map(({ task }) => task),
    ['resize', 'crop'],
  );
  assert.deepEqual(told.queues, [{ system: 'bullmq', queue: 'images' }]);
  assert.deepEqual(told.open, [
    [resize, 'socket', 3],
    [resize, 'timer', 1],
  ]);
  assert.deepEqual(
    told.breakers.map(({ states, calls, openings }) => [states, calls, openings]),
    [[[0, 1, 0], [0, 0, 0, 0, 0], 0]],
  );
  const next = new Inbox(buffer, offset, MAIN_THREAD, told);
  // Written after the new one was told.
  outbox.tally([
    [resize, 'socket', -3],
    [crop, 'cpu_sampled', 30],
  ]);
  outbox.breaker(closed('db'));
  outbox.traffic([[crop, 0, 1, 1, 1, 1]]);
  assert.deepEqual(read(next), {
    tallies: [
      ['crop', 'cpu_sampled', 70],
      ['resize', 'socket', -3],
      ['crop', 'cpu_sampled', 30],
    ],
    breakers: [
      ['db', [0, 0, 0], [0, 1, 0, 0, 0]],
      ['db', [1, 0, 0], [2, 0, 0, 0, 0]],
    ],
    traffic: [['crop', 'db']],
  });
  assert.deepEqual(outbox.told().open, [[resize, 'timer', 1]], 'what is open no longer is not told');
});

test('a ring whose position has wrapped is read on all the same', () => {
  const { buffer, i32 } = createShared();
  i32.fill(-16, 4, 6);
  const outbox = new Outbox(new Inbox(buffer, 0).shared, 10);
  const task = outbox.taskId('test', 'q', 'long enough to go beyond the end of the ring')!;
  outbox.tally([[task, 'socket', 1]]);
  const next = new Inbox(buffer, 0, MAIN_THREAD, outbox.told());
  outbox.tally([[task, 'socket', 5]]);
  assert.deepEqual(read(next).tallies, [['long enough to go beyond the end of the ring', 'socket', 5]]);
});
