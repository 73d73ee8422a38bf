import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { lastPoints } from '../fixtures/bullmq/run.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';
import { type Ended, startProgram } from '../helpers/worker.ts';

const RUNS = 20;
const FIXTURE = join(import.meta.dirname, '../fixtures/bullmq/habits.ts');

let redis: RedisServer;
let sink: OtlpSink;
let ended: Ended;

function value(name: string, task: string, attributes: Record<string, string> = {}): number | undefined {
  // A series ends where another one of the task begins, as when what was suspected is confirmed.
  const points = lastPoints(sink, name, { 'task.name': task, ...attributes });
  return points.find(({ valueType }) => valueType !== 'none')?.value;
}

const open = (task: string, type: string): number | undefined =>
  value('task.handles.open', task, { 'task.handle.type': type });
const duplicates = (task: string, type: string): number | undefined =>
  value('task.duplicates', task, { 'task.duplicate.type': type });

before(async () => {
  [redis, sink] = await Promise.all([startRedis(), startSink()]);
  const program = startProgram(FIXTURE, {
    sink,
    redis,
    before: ['--expose-gc'],
    env: {
      TASKWARDEN_HANDLES_GRACE: '1s',
      TASKWARDEN_STORE_STEP: '100ms',
      OTEL_METRIC_EXPORT_INTERVAL: '500',
    },
    limitMs: 60_000,
  });
  await Promise.race([sink.waitFor(({ requests }) => requests.length > 0, 20_000), program.ended]);
  program.tell('go');
  await program.said('done');
  // What is first said of them is of few samples, while the other tasks leave theirs open, too.
  const oneEach = (growth: number | undefined): boolean =>
    growth !== undefined && growth > 0.8 && growth < 1.25;
  const settled = (): boolean =>
    open('leaks-sockets', 'socket') === RUNS &&
    open('leaks-timers', 'timer') === RUNS &&
    (value('task.jobs.checked', 'keeps-jobs') ?? 0) >= RUNS &&
    oneEach(value('task.file_descriptors.growth', 'leaks-files')) &&
    (value('task.payload.growth.lower', 'quadratic') ?? 0) > 1.5;
  await Promise.race([sink.waitFor(settled, 40_000), program.ended]);
  program.tell('end');
  program.child.stdin!.end();
  ended = await program.ended;
});
after(() => Promise.all([redis.stop(), sink.down()]));

test('the worker is left as it was', () => {
  assert.equal(ended.code, 0, ended.stderr);
  assert.equal(ended.stderr, '');
});

test('every socket and timer that a run has left open is counted', () => {
  assert.equal(open('leaks-sockets', 'socket'), RUNS);
  assert.equal(open('leaks-timers', 'timer'), RUNS);
  const spans = sink.spans.filter(({ attributes }) => attributes['task.name'] === 'leaks-sockets');
  assert.deepEqual(new Set(spans.map(({ attributes }) => attributes['task.handles.open'])), new Set([1]));
});

test('a loop of short timers that goes on without its run is seen', () => {
  const polls = open('leaks-polls', 'timer') ?? 0;
  assert.ok(polls > RUNS / 2 && polls <= RUNS, String(polls));
});

test('keep-alive, a client of all, and what is closed again, are innocent', () => {
  for (const task of ['keep-alive', 'shared-client', 'tidy', 'keeps-jobs', 'linear'])
    for (const type of ['socket', 'timer', 'server', 'child_process', 'worker'])
      assert.ok(!open(task, type), `${task} ${type}`);
});

test('descriptors that stay open are laid at the door of the task that opened them', () => {
  const growth = value('task.file_descriptors.growth', 'leaks-files')!;
  assert.ok(growth > 0.5 && growth < 2, String(growth));
  for (const task of ['tidy', 'keep-alive'])
    assert.equal(value('task.file_descriptors.growth', task), undefined);
});

test('job objects that are kept are found, others are gone', () => {
  assert.equal(value('task.jobs.retained', 'keeps-jobs'), RUNS);
  assert.equal(value('task.jobs.checked', 'keeps-jobs'), RUNS);
  for (const task of ['leaks-timers', 'linear', 'shared-client', 'tidy']) {
    assert.ok((value('task.jobs.checked', task) ?? 0) >= RUNS, task);
    assert.ok((value('task.jobs.retained', task) ?? 0) <= 1, task);
  }
});

test('a task is quadratic in its input, another is not', () => {
  const lower = value('task.payload.growth.lower', 'quadratic')!;
  const exponent = value('task.payload.growth', 'quadratic')!;
  assert.ok(lower > 1.5 && exponent < 2.3, `${lower} ${exponent}`);
  assert.ok((value('task.payload.growth.lower', 'linear') ?? 0) < 1.3);
});

test('a job that runs twice at once, and one that runs again after its success, are counted', () => {
  assert.ok(duplicates('runs-twice', 'concurrent')! >= 1);
  assert.equal(duplicates('runs-again', 'repeated'), 1);
  for (const task of ['fails-first', 'tidy', 'linear'])
    assert.deepEqual([duplicates(task, 'concurrent'), duplicates(task, 'repeated')], [0, 0], task);
  const spans = sink.spans.filter(({ attributes }) => attributes['task.name'] === 'runs-again');
  assert.deepEqual(
    spans.map(({ attributes }) => attributes['task.duplicate.type']),
    [undefined, 'repeated'],
  );
});
