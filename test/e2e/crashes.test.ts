import assert from 'node:assert/strict';
import { readdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { folder, untilRecorded } from '../agent/crashes/parts.ts';
import type { ReceivedLog } from '../helpers/otlp-items.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';
import { type Ended, startProgram } from '../helpers/worker.ts';

const FIXTURES = resolve(import.meta.dirname, '../fixtures/crashes');
const WORKER = resolve(FIXTURES, 'worker.ts');

let sink: OtlpSink;
let redis: RedisServer;
before(async () => {
  [sink, redis] = await Promise.all([startSink(), startRedis()]);
});
after(async () => {
  await Promise.all([sink.down(), redis.stop()]);
});

const env = (state: string) => ({ TASKWARDEN_STATE_DIR: state, OTEL_SERVICE_NAME: 'mailer' });

/**
 * Lets the worker die as soon as its run is on record, which goes into `into`. It has a folder of its own until then: workers that start
 * beside it would report it.
 */
async function die(how: string, into: string, before: string[] = []): Promise<Ended> {
  const state = folder();
  const program = startProgram(WORKER, { args: [how, how], env: env(state), before });
  await untilRecorded(state, how);
  if (how === 'stays') program.child.kill('SIGKILL');
  else program.tell('go');
  const ended = await program.ended;
  moveRecordings(state, into);
  return ended;
}

function moveRecordings(from: string, to: string): void {
  for (const name of readdirSync(from).filter((one) => one.startsWith('flight-')))
    renameSync(join(from, name), join(to, name));
}

const crashes = () => sink.logs.filter(({ eventName }) => eventName === 'taskwarden.crash');
const alerts = () =>
  sink.logs.filter(
    ({ attributes }) =>
      attributes['taskwarden.alert.name'] === 'TaskCrashedWorker' &&
      attributes['taskwarden.alert.state'] === 'firing',
  );
const crashOf = (job: string): ReceivedLog => {
  const [found, ...more] = crashes().filter(({ attributes }) =>
    (attributes['taskwarden.crash.runs.messaging.message.id'] as string[]).includes(job),
  );
  assert.deepEqual(more, [], `one report for ${job}`);
  assert.ok(found !== undefined, `no report for ${job}`);
  return found;
};

/** Starts a process that reports what it finds, until `count` crashes in all are here. */
async function nextStart(state: string, count: number): Promise<void> {
  const program = startProgram(WORKER, { args: ['ends'], env: env(state), sink });
  await sink.waitFor(() => crashes().length >= count, 25_000);
  program.tell('go');
  assert.equal((await program.ended).code, 0);
}

describe('the next start tells of the tasks that were in flight', { concurrency: 1 }, () => {
  const state = folder();

  test('of processes that died in every way, once', async () => {
    const own = folder();
    const real = startProgram(resolve(FIXTURES, 'bullmq.ts'), {
      args: ['pictures', '3'],
      redis,
      env: env(own),
    });
    const ends = Promise.all([
      die('stays', state),
      die('exit', state),
      die('throw', state),
      die('heap', state, ['--max-old-space-size=64']),
    ]);
    await Promise.all(['1', '2', '3'].map((job) => untilRecorded(own, job)));
    real.child.kill('SIGKILL');
    await real.ended;
    moveRecordings(own, state);
    const [stays, exit, thrown, heap] = await ends;
    assert.deepEqual([stays.signal, exit.code, thrown.code, heap.signal], ['SIGKILL', 3, 1, 'SIGABRT']);
    await nextStart(state, 5);
    assert.equal(crashes().length, 5);
    for (const [job, cause] of [
      ['exit', 'exit'],
      ['throw', 'exception'],
      ['stays', 'unknown'],
    ] as const) {
      const { attributes } = crashOf(job);
      assert.equal(attributes['taskwarden.crash.cause'], cause);
      assert.equal(attributes['taskwarden.crash.service.name'], 'mailer');
      assert.deepEqual(
        new Set(attributes['taskwarden.crash.runs.messaging.message.id'] as string[]),
        new Set([job, `${job}-bystander`]),
      );
      assert.deepEqual(attributes['taskwarden.crash.runs.task.attempt'], ['1', '1']);
      assert.ok((attributes['taskwarden.crash.memory.rss'] as number) > 20e6);
      assert.ok(Number((attributes['taskwarden.crash.runs.age'] as string[])[0]) > 0);
    }
    crashOf('heap');
    for (const job of ['1', '2', '3']) crashOf(job);
  });

  test('as alerts, with their runs', () => {
    for (const job of ['exit', 'throw', 'stays', 'heap', '1', '2', '3']) {
      const mine = alerts().filter(({ attributes }) =>
        (attributes['taskwarden.alert.runs.messaging.message.id'] as string[]).includes(job),
      );
      assert.equal(mine.length, 1, `alerts of ${job}`);
      const { attributes } = mine[0]!;
      const isReal = /^\d$/.test(job);
      assert.equal(attributes['task.name'], isReal ? `task-${Number(job) - 1}` : 'deadly');
      assert.equal(attributes['messaging.destination.name'], isReal ? 'pictures' : 'images');
      assert.deepEqual(attributes['taskwarden.alert.runs.task.attempt'], ['1']);
    }
  });

  test('and a second start tells nothing new, nor leaves anything', async () => {
    await nextStart(state, 5);
    assert.equal(crashes().length, 5);
    assert.deepEqual(
      readdirSync(state).filter((name) => /flight|claimed/.test(name)),
      [],
    );
  });
});

test('an end in good order leaves no file', async () => {
  const state = folder();
  const program = startProgram(WORKER, { args: ['ends', 'fine'], env: env(state) });
  await untilRecorded(state, 'fine');
  program.tell('go');
  assert.equal((await program.ended).code, 0);
  assert.deepEqual(readdirSync(state), []);
});

test('without a state folder, or with the recorder off, there is none', async () => {
  const state = folder();
  rmSync(state, { recursive: true });
  const program = startProgram(WORKER, {
    args: ['ends'],
    sink,
    env: { ...env(state), TASKWARDEN_RECORDER: 'off' },
  });
  await sink.waitFor(() => sink.requests.length > 0);
  await program.said('ready');
  program.tell('go');
  const { code, stderr } = await program.ended;
  assert.deepEqual([code, stderr], [0, '']);
});
