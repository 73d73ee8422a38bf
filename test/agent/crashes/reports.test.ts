import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crashOf } from '../../../src/agent/crashes/crash.ts';
import { readRecording } from '../../../src/agent/crashes/read-recording.ts';
import { CrashReports } from '../../../src/agent/crashes/reports.ts';
import { countOf, metricValue, newRegistry } from '../parts.ts';
import { fileOf, identity, RESIZE } from './parts.ts';

const crash = (pid: number, jobs: string[]) => crashOf(readRecording(fileOf(identity({ pid }), jobs))!);

test('a death is told for five minutes, with the runs for its alert', () => {
  const registry = newRegistry();
  const reports = new CrashReports(registry);
  const [one, two] = [crash(1, ['a', 'b']), crash(2, ['c'])];
  reports.crashed(one, 0);
  reports.crashed(two, 200_000);
  assert.equal(metricValue(registry, 'task.crashed', { 'task.crash.id': one.id }), 2);
  assert.equal(metricValue(registry, 'task.crashes', { 'task.crash.cause': 'unknown' }), 3);
  assert.equal(metricValue(registry, 'taskwarden.worker.crash.memory', { 'task.crash.id': two.id }), 3000);
  const labels = { task_name: 'resize', messaging_destination_name: 'images', task_crash_id: one.id };
  assert.deepEqual(
    reports.runsFor(labels)?.map(({ jobId }) => jobId),
    ['a', 'b'],
  );
  assert.deepEqual(reports.runsFor({ ...labels, task_name: 'other' }), []);
  assert.equal(reports.runsFor({ task_name: 'resize' }), undefined, 'other alerts are others to answer');
  reports.expire(300_000);
  assert.equal(countOf(registry, 'task.crashed'), 1);
  assert.equal(countOf(registry, 'taskwarden.worker.crash.memory'), 1);
  assert.deepEqual(reports.runsFor(labels), []);
  assert.equal(metricValue(registry, 'task.crashes', { 'task.crash.cause': 'unknown' }), 3);
});

test('deaths told at a time are bounded', () => {
  const registry = newRegistry();
  const reports = new CrashReports(registry);
  for (let pid = 0; pid < 50; pid++) reports.crashed(crash(pid, ['a']), 0);
  assert.equal(countOf(registry, 'task.crashed'), 20);
});

test('poison is what is found now', () => {
  const registry = newRegistry();
  const reports = new CrashReports(registry);
  reports.poisonous([
    { task: RESIZE, jobId: '42', deaths: 3, at: 0 },
    { task: RESIZE, jobId: '', deaths: 5, at: 0 },
  ]);
  assert.equal(metricValue(registry, 'task.poison.deaths', { 'task.poison.job': '42' }), 3);
  assert.equal(countOf(registry, 'task.poison.deaths'), 2);
  const labels = {
    task_name: 'resize',
    messaging_destination_name: 'images',
    messaging_system: 'test',
    task_poison_job: '42',
  };
  const [run, ...more] = reports.runsFor(labels) ?? [];
  assert.deepEqual(
    [run?.jobId, run?.task, run?.queue, run?.framework, more],
    ['42', 'resize', 'images', 'test', []],
  );
  assert.equal(reports.poisonOf({ ...RESIZE }, '42')?.deaths, 3);
  assert.equal(reports.poisonOf(RESIZE, '43'), undefined);
  assert.equal(reports.poisonOf(RESIZE, ''), undefined);
  reports.poisonous([]);
  assert.equal(countOf(registry, 'task.poison.deaths'), 0);
});
