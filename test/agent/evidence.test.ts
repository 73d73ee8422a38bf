import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Evidence } from '../../src/agent/evidence.ts';
import type { ActiveRun } from '../../src/bridge/inbox.ts';
import { inFlight, MAIL, REPORT, record, SPAN_ID, TRACE_ID } from './parts.ts';

const OF_MAIL = { task_name: 'send', messaging_destination_name: 'mail', messaging_system: 'test' };

function setup(...active: ActiveRun[]) {
  const evidence = new Evidence(() => [...active]);
  const ids = (labels: Record<string, string>): string[] =>
    evidence.runsFor(labels).map(({ jobId }) => jobId);
  return { evidence, ids };
}

test('runs of the task in flight, oldest first, then those that ended, newest first', () => {
  const { evidence, ids } = setup(
    inFlight({ jobId: 'young', ageMs: 10 }),
    inFlight({ jobId: 'old', slot: 4, ageMs: 5000 }),
    inFlight({ jobId: 'other', slot: 5, task: REPORT, ageMs: 9000 }),
  );
  for (const [at, jobId] of ['first', 'second'].entries())
    evidence.finished(record({ jobId, startEpochMs: 1000 * at }));
  evidence.finished(record({ jobId: 'other', task: REPORT }));
  assert.deepEqual(ids(OF_MAIL), ['old', 'young', 'second', 'first']);
});

test('a run is named with all that finds it again', () => {
  const { evidence } = setup(inFlight({ ageMs: 100 }));
  evidence.finished(record({ jobId: '41', attempt: 2, durationMs: 120 }));
  const common = { framework: 'test', queue: 'mail', task: 'send', traceId: TRACE_ID, spanId: SPAN_ID };
  assert.deepEqual(evidence.runsFor(OF_MAIL), [
    { ...common, jobId: '42', attempt: 1, ageMs: 100, active: true, place: { slot: 3, generation: 5 } },
    { ...common, jobId: '41', attempt: 2, ageMs: 120, active: false },
  ]);
});

test('the run that blocks the loop comes first, while it does, and not its successor in the slot', () => {
  const holder = inFlight({ jobId: 'holder', slot: 4, generation: 9, ageMs: 10 });
  const { evidence, ids } = setup(inFlight({ jobId: 'older', ageMs: 5000 }), holder);
  evidence.blockedBy(holder);
  assert.deepEqual(ids(OF_MAIL), ['holder', 'older']);
  for (const other of [{ generation: 7 }, { thread: 1 }]) {
    evidence.blockedBy({ ...holder, ...other });
    assert.deepEqual(ids(OF_MAIL), ['older', 'holder']);
  }
  evidence.blockedBy(holder);
  assert.deepEqual(ids(OF_MAIL), ['holder', 'older']);
  evidence.blockedBy({ ...holder, generation: 7 });
  assert.deepEqual(ids(OF_MAIL), ['older', 'holder']);
  evidence.blockedBy(undefined);
  assert.deepEqual(ids(OF_MAIL), ['older', 'holder']);
});

test('without a task in the labels: what is in flight, of the queue if that is named', () => {
  const { evidence, ids } = setup(
    inFlight({ jobId: 'a', ageMs: 2 }),
    inFlight({ jobId: 'b', slot: 4, task: REPORT, ageMs: 1 }),
  );
  evidence.finished(record({ jobId: 'ended' }));
  assert.deepEqual(ids({}), ['a', 'b']);
  assert.deepEqual(ids({ messaging_destination_name: 'reports' }), ['b']);
  assert.deepEqual(ids({ messaging_system: 'other' }), []);
});

test('a few runs are remembered per task, and an alert names at most ten', () => {
  const active = Array.from({ length: 8 }, (_, slot) =>
    inFlight({ jobId: `f${slot}`, slot, ageMs: 100 - slot }),
  );
  const { evidence, ids } = setup(...active);
  for (let n = 0; n < 1000; n++) evidence.finished(record({ jobId: `e${n}`, startEpochMs: n }));
  assert.deepEqual(ids(OF_MAIL), [...active.map(({ jobId }) => jobId), 'e999', 'e998']);
  assert.deepEqual(new Evidence(() => []).runsFor(OF_MAIL), []);
  const { evidence: alone, ids: of } = setup();
  for (let n = 0; n < 1000; n++) alone.finished(record({ jobId: `e${n}`, task: MAIL, startEpochMs: n }));
  assert.deepEqual(of(OF_MAIL), ['e999', 'e998', 'e997', 'e996', 'e995']);
});
