import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { folder, untilRecorded } from '../agent/crashes/parts.ts';
import {
  alertsOf,
  BULLMQ,
  crashes,
  crashesOf,
  die,
  env,
  moveRecordings,
  nextStart,
  recordingsIn,
  WORKER,
} from '../fixtures/crashes/deaths.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';
import { startProgram } from '../helpers/worker.ts';

let sink: OtlpSink;
let redis: RedisServer;
before(async () => {
  [sink, redis] = await Promise.all([startSink(), startRedis()]);
});
after(async () => {
  await Promise.all([sink.down(), redis.stop()]);
});

describe('the next start tells of the tasks that were in flight', { concurrency: 1 }, () => {
  const state = folder();

  test('of a worker of BullMQ that was killed, and of one that ended itself', async () => {
    const own = folder();
    const real = startProgram(BULLMQ, { args: ['pictures', '3'], redis, env: env(own) });
    const exit = die('exit', state);
    // A recording may be made within the first half millisecond of a run, which has an age of 0 then.
    await Promise.all(['1', '2', '3'].map((job) => untilRecorded(own, job, 1)));
    real.child.kill('SIGKILL');
    await real.ended;
    moveRecordings(own, state);
    assert.equal((await exit).code, 3);
    await nextStart(state, sink, 2);
    for (const [job, cause, jobs] of [
      ['1', 'unknown', ['1', '2', '3']],
      ['exit', 'exit', ['exit', 'exit-bystander']],
    ] as const) {
      const [{ attributes }, ...more] = crashesOf(sink, job) as [(typeof sink.logs)[0]];
      assert.deepEqual(more, []);
      assert.equal(attributes['taskwarden.crash.cause'], cause);
      assert.equal(attributes['taskwarden.crash.service.name'], 'mailer');
      assert.deepEqual(
        [...(attributes['taskwarden.crash.runs.messaging.message.id'] as string[])].sort(),
        jobs,
      );
      assert.deepEqual(new Set(attributes['taskwarden.crash.runs.task.attempt'] as string[]), new Set(['1']));
      assert.ok((attributes['taskwarden.crash.memory.rss'] as number) > 20e6);
      for (const age of attributes['taskwarden.crash.runs.age'] as string[]) assert.ok(Number(age) > 0);
    }
  });

  test('as alerts, with their runs', () => {
    for (const [job, task, queue] of [
      ['1', 'task-0', 'pictures'],
      ['2', 'task-1', 'pictures'],
      ['3', 'task-2', 'pictures'],
      ['exit', 'deadly', 'images'],
      ['exit-bystander', 'sleep', 'others'],
    ] as const) {
      const mine = alertsOf(sink, 'TaskCrashedWorker', job);
      assert.equal(mine.length, 1, `alerts of ${job}`);
      const { attributes } = mine[0]!;
      assert.equal(attributes['task.name'], task);
      assert.equal(attributes['messaging.destination.name'], queue);
      assert.deepEqual(attributes['taskwarden.alert.runs.messaging.message.id'], [job]);
      assert.match(
        String(attributes['taskwarden.alert.annotation.description']),
        /The process used \S+ of memory, /,
      );
    }
  });

  test('and a second start tells nothing new, nor leaves anything', async () => {
    await nextStart(state, sink, 2);
    assert.equal(crashes(sink).length, 2);
    assert.deepEqual(recordingsIn(state), []);
  });
});

test('an end in good order leaves no file', async () => {
  const state = folder();
  const program = startProgram(WORKER, { args: ['ends', 'fine'], env: env(state) });
  await untilRecorded(state, 'fine');
  program.tell('go');
  assert.equal((await program.ended).code, 0);
  assert.deepEqual(recordingsIn(state), []);
});
