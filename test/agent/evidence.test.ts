import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Evidence } from '../../src/agent/evidence.ts';
import type { Subject } from '../../src/agent/notable-runs.ts';
import type { ActiveRun, RunRecord } from '../../src/bridge/inbox.ts';
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

const T0 = 1_700_000_000_000;
const MINUTE = 60_000;

/** Finished runs, a second apart, and what an alert names then. */
function after(runs: readonly Partial<RunRecord>[], { now, active = [] as ActiveRun[] }: Aftermath = {}) {
  const end = T0 + runs.length * 1000;
  const evidence = new Evidence(
    () => active,
    () => now ?? end,
  );
  for (const [n, run] of runs.entries())
    evidence.finished(record({ jobId: `${n}`, startEpochMs: T0 + n * 1000, ...run }));
  return (about: Subject, labels: Record<string, string> = OF_MAIL): string[] =>
    evidence.runsFor(labels, about).map(({ jobId }) => jobId);
}

interface Aftermath {
  now?: number;
  active?: ActiveRun[];
}

const failure = (type: string): Partial<RunRecord> => ({
  failed: true,
  extra: { error: { type, message: 'no' } },
});

test('an alert about failures names failed runs, however many have succeeded since', () => {
  const runs = [...Array(30).fill(failure('Error')), ...Array(1000).fill({})];
  const ids = after(runs);
  assert.deepEqual(ids('failed'), ['29', '28', '27', '26', '25']);
  assert.deepEqual(ids('latest'), ['1029', '1028', '1027', '1026', '1025']);
  assert.deepEqual(after(Array(20).fill({}))('failed'), [], 'healthy runs are no failed ones');
});

test('an alert about a type of error names runs that failed so', () => {
  const rare = failure('TypeError');
  const ids = after([rare, rare, ...Array(20).fill(failure('Error')), {}]);
  assert.deepEqual(ids('latest', { ...OF_MAIL, error_type: 'TypeError' }), ['1', '0']);
  assert.deepEqual(ids('failed', { ...OF_MAIL, error_type: 'Error' }), ['21', '20', '19', '18', '17']);
  assert.deepEqual(ids('failed', { ...OF_MAIL, error_type: 'RangeError' }), []);
  assert.deepEqual(ids('failed', { ...OF_MAIL, error_type: '_OTHER' }), ['21', '20', '19', '18', '17']);
  const many = after(Array.from({ length: 20 }, (_, n) => failure(`Error${n}`)));
  assert.deepEqual(many('failed'), ['19', '18', '17', '16', '15']);
  assert.deepEqual(many('failed', { ...OF_MAIL, error_type: 'Error12' }), ['12']);
  assert.deepEqual(
    many('failed', { ...OF_MAIL, error_type: 'Error11' }),
    [],
    'as many types as there is room',
  );
});

test('an alert about an amount names the runs that have most of it, and none that have nothing', () => {
  const amounts: Record<string, (value: number) => Partial<RunRecord>> = {
    payload: (payloadBytes) => ({ payloadBytes }),
    duration: (durationMs) => ({ durationMs }),
    wait: (waitMs) => ({ waitMs }),
    cpu: (cpuMs) => ({ cpuMs }),
    block: (blockMs) => ({ blockMs }),
    requests: (requests) => ({ requests }),
    failed_requests: (failedRequests) => ({ extra: { failedRequests } }),
    received: (bytesIn) => ({ bytesIn }),
    sent: (bytesOut) => ({ bytesOut }),
    handles: (openHandles) => ({ extra: { openHandles } }),
  };
  for (const [about, of] of Object.entries(amounts)) {
    const ids = after([3, 1, 9, 2, 7, 1, 1, 1, 1].map(of));
    assert.deepEqual(ids(about as Subject), ['2', '4', '0'], about);
    assert.deepEqual(after([9, 100, 10, 1].map(of))(about as Subject), ['1', '2'], about);
    assert.deepEqual(after([of(0), of(0)])(about as Subject), [], about);
  }
  assert.deepEqual(after([{ payloadBytes: undefined }, { payloadBytes: 4 }])('payload'), ['1']);
});

test('the runs that have most are those of the last minutes', () => {
  const at = (minutes: number, payloadBytes: number) => ({
    startEpochMs: T0 + minutes * MINUTE,
    payloadBytes,
  });
  const runs = [at(0, 90), at(1, 10), at(4, 20), at(6, 5), at(7, 6)];
  assert.deepEqual(after(runs, { now: T0 + 8 * MINUTE })('payload'), ['0', '2', '1', '4', '3']);
  assert.deepEqual(after(runs, { now: T0 + 10.5 * MINUTE })('payload'), ['2', '1', '4', '3']);
  assert.deepEqual(after([...runs, at(12, 1)], { now: T0 + 12 * MINUTE })('payload'), ['4', '3', '5']);
  assert.deepEqual(after([...runs, at(60, 1)], { now: T0 + 60 * MINUTE })('payload'), ['5']);
  assert.deepEqual(
    after([...runs, at(-60, 1)], { now: T0 - 60 * MINUTE })('payload').at(-1),
    '5',
    'a clock set',
  );
});

test('retried runs and duplicates are remembered as such', () => {
  const ids = after([
    { attempt: 2, isRetry: true },
    { extra: { duplicate: 'concurrent' } },
    { extra: { duplicate: 'repeated' } },
    ...Array(20).fill({}),
  ]);
  assert.deepEqual(ids('retried'), ['0']);
  assert.deepEqual(ids('duplicate'), ['2', '1']);
  assert.deepEqual(ids('duplicate', { ...OF_MAIL, task_duplicate_type: 'concurrent' }), ['1']);
});

test('runs in flight come first and take no place from those that an alert is about', () => {
  const active = Array.from({ length: 12 }, (_, slot) =>
    inFlight({ jobId: `f${slot}`, slot, ageMs: 100 - slot }),
  );
  const ids = after([failure('Error'), {}, {}], { active });
  assert.deepEqual(ids('failed'), [...active.slice(0, 10).map(({ jobId }) => jobId), '0']);
  assert.deepEqual(
    ids('latest'),
    active.slice(0, 10).map(({ jobId }) => jobId),
  );
});

test('failed runs are told from those in flight, which are not meant', () => {
  const evidence = new Evidence(() => [inFlight({ jobId: 'f' })]);
  evidence.finished(record({ failed: true }));
  const meant = (about: Subject) => evidence.runsFor(OF_MAIL, about).map(({ isMeant }) => isMeant);
  assert.deepEqual(meant('failed'), [undefined, true]);
  for (const about of ['cpu', 'latest'] as const) assert.ok(!meant(about).includes(true), about);
});

test('labels that several tasks have: the runs of all that the alert is about, newest first', () => {
  const other = { framework: 'test', queue: 'post', task: 'send' };
  const runs = [failure('Error'), { ...failure('Error'), task: other }, {}, { task: other }];
  assert.deepEqual(after(runs)('failed', { task_name: 'send' }), ['1', '0']);
  assert.deepEqual(after(runs)('failed', {}), []);
});
