import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Habits } from '../../src/agent/habits.ts';
import { Ingest } from '../../src/agent/ingest.ts';
import { Inbox } from '../../src/bridge/inbox.ts';
import { createShared } from '../../src/bridge/protocol.ts';
import { countOf, MAIL, newRegistry, REPORT, record, taskValue } from './parts.ts';

function side() {
  const registry = newRegistry();
  const ingest = new Ingest(registry);
  return { registry, ingest, habits: new Habits(registry, ingest) };
}

test('what a thread has open is gone when the thread is, that of others stays', () => {
  const { registry, habits } = side();
  const [one, two] = [new Inbox(createShared().buffer, 0), new Inbox(createShared().buffer, 0)];
  habits.task(MAIL);
  assert.equal(countOf(registry, 'task.handles.open'), 0, 'no series before there is one');
  assert.equal(taskValue(registry, 'task.duplicates', MAIL, { 'task.duplicate.type': 'concurrent' }), 0);
  habits.tally(one, MAIL, 'socket', 3);
  habits.tally(one, MAIL, 'socket', -1);
  habits.tally(two, MAIL, 'socket', 5);
  habits.tally(one, MAIL, 'repeated', 2);
  const open = () => taskValue(registry, 'task.handles.open', MAIL, { 'task.handle.type': 'socket' });
  assert.equal(open(), 7);
  habits.ended(one);
  habits.ended(one);
  assert.equal(open(), 5);
  assert.equal(taskValue(registry, 'task.duplicates', MAIL, { 'task.duplicate.type': 'repeated' }), 2);
});

/** Runs whose CPU time grows with a power of their payload. */
function runs(habits: Habits, exponent: number, cpuQuality: 'exact' | 'sync_only' | 'warming'): void {
  for (let i = 0; i < 400; i++) {
    const payloadBytes = Math.round(100 * 2 ** ((i % 40) / 4));
    habits.run(record({ payloadBytes, cpuMs: (payloadBytes / 1000) ** exponent, cpuQuality }));
  }
  habits.observe(0, [MAIL], 0);
}

test('growth with the payload is told by the best figures that there are', () => {
  const { registry, habits } = side();
  const growth = () => Math.round(taskValue(registry, 'task.payload.growth') ?? Number.NaN);
  runs(habits, 2, 'warming');
  assert.equal(countOf(registry, 'task.payload.growth'), 0);
  runs(habits, 1, 'sync_only');
  assert.equal(growth(), 1);
  runs(habits, 2, 'exact');
  assert.equal(growth(), 2, 'those up to the first await are worth less');
  assert.ok(taskValue(registry, 'task.payload.growth.lower')! > 1.9);
  runs(habits, 1, 'sync_only');
  assert.equal(growth(), 2);
});

test('a payload out of the ordinary counts', () => {
  const { registry, habits } = side();
  runs(habits, 1, 'exact');
  habits.run(record({ payloadBytes: 10_000_000 }));
  habits.run(record({ payloadBytes: undefined }));
  assert.equal(taskValue(registry, 'task.payload.outliers'), 1);
});

test('descriptors that stay open are laid to the task whose runs they follow', () => {
  const { registry, ingest, habits } = side();
  let open = 30;
  for (let second = 0; second < 40; second++) {
    // Bursts that differ, of one task that leaves two open a run, and of one that does not.
    for (let i = 0; i < (second * 7) % 5; i++) {
      ingest.run(record({ task: MAIL }));
      open += 2;
    }
    for (let i = 0; i < (second * 11) % 7; i++) ingest.run(record({ task: REPORT }));
    if (second > 1) registry.set('process.unix.file_descriptor.count', {}, open + (second % 2));
    habits.observe(second * 1000, [MAIL, REPORT], 0);
  }
  assert.ok(Math.abs(taskValue(registry, 'task.file_descriptors.growth', MAIL)! - 2) < 0.1);
  assert.ok(taskValue(registry, 'task.file_descriptors.growth.lower', MAIL)! > 1.5);
  assert.equal(taskValue(registry, 'task.file_descriptors.growth', REPORT), undefined);
});
