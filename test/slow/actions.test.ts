import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, afterEach, before, test } from 'node:test';
import { type ConnectionOptions, Queue } from 'bullmq';
import { testActions } from '../fixtures/actions/every-version.ts';
import { message, openPlace, outcome, type Place, worker, workerEnv } from '../fixtures/actions/workers.ts';
import { endPrograms } from '../fixtures/faults/program.ts';
import { CLI } from '../helpers/built.ts';

const UNCHECKED = '--no-force-async-hooks-checks';
const OLD = Number(process.versions.node.split('.')[0]) < 24 && 'on Node.js 22 terminate-run is refused';

/** Runs that lose their continuation together with the one that is ended are waited for as long. */
const GRACE = { TASKWARDEN_ACTIONS_GRACE: '3s' };

let place: Place;
before(async () => {
  place = await openPlace();
});
afterEach(endPrograms);
after(() => place.end());

testActions('bullmq5', () => place);

for (const [task, nodeArgs] of [
  ['spins-later', []],
  ['spins-in-timer', [UNCHECKED]],
] as const)
  test(`terminate-run: ${task} fails as a job does, innocents finish, the process ends`, {
    skip: OLD,
  }, async () => {
    const w = await worker(place, `terminate-${task}`, 'terminate-run', { nodeArgs, env: GRACE });
    const innocent = await w.add('innocent', { steps: 50 });
    const job = await w.add(task);
    const event = await w.action('terminate-run');
    assert.equal(outcome(event), 'done', message(event));
    const { state, why } = await w.result(job);
    assert.equal(state, 'failed');
    assert.match(why!, /^terminated by Taskwarden/);
    assert.equal((await w.result(innocent)).state, 'completed');
    assert.equal((await w.ended).code, 75);
  });

test('terminate-run: a loop in a callback is left alone where Node.js would crash', async () => {
  const w = await worker(place, 'terminate-refused', 'terminate-run');
  const job = await w.add('spins-in-timer');
  const event = await w.action('terminate-run');
  assert.equal(outcome(event), 'refused', message(event));
  assert.match(message(event), OLD ? /Node\.js before 24 would crash/ : /--no-force-async-hooks-checks/);
  assert.equal(await job.getState(), 'active');
});

test('terminate-run: an application that listens to SIGTERM ends itself', { skip: OLD }, async () => {
  const w = await worker(place, 'terminate-own', 'terminate-run', { env: { OWN_SIGTERM: '1', ...GRACE } });
  await w.add('spins-later');
  await w.line('told');
  assert.equal((await w.ended).code, 0);
});

test('abort-run: the signal of BullMQ; a handler that looks at none is not called aborted', async () => {
  const w = await worker(place, 'abort', 'abort-run');
  const job = await w.add('waits');
  assert.equal(outcome(await w.action('abort-run', job)), 'done');
  assert.equal((await w.result(job)).why, 'aborted by Taskwarden: Waits');
  w.tell('end');
  assert.equal((await w.ended).code, 0);
});

test('exit: SIGKILL ends a process in an endless loop, after the grace', async () => {
  const w = await worker(place, 'exit-kill', 'exit', { env: { TASKWARDEN_ACTIONS_GRACE: '300ms' } });
  await w.add('stuck-spins');
  assert.equal(outcome(await w.action('exit')), 'done');
  assert.equal((await w.ended).signal, 'SIGKILL');
});

test('a dry run says what would have been done, to which run, and does nothing', async () => {
  const w = await worker(place, 'dry', 'abort-run,exit', { env: { TASKWARDEN_ACTIONS_DRY_RUN: 'true' } });
  const job = await w.add('waits');
  await w.add('stuck');
  const event = await w.action('abort-run');
  assert.equal(outcome(event), 'dry_run');
  assert.equal(message(event), `the signal of attempt 1 at waits of job ${job.id} would have been aborted`);
  assert.equal(outcome(await w.action('exit')), 'dry_run');
  assert.equal(await job.getState(), 'active');
});

test('terminate-run under taskwarden run: the poison job fails, the worker is started again and goes on', {
  skip: OLD,
}, async () => {
  const { sink, redis, queues } = place;
  const connection = { url: redis.url, maxRetriesPerRequest: null } as ConnectionOptions;
  const queue = new Queue('restarted', { connection });
  queues.push(queue);
  const command = ['test/fixtures/actions/worker.ts', 'restarted', '1'];
  const supervisor = spawn(
    process.execPath,
    [CLI, 'run', '--restart', '--backoff', '100ms', '--', process.execPath, ...command],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        ...process.env,
        ...workerEnv(sink, redis, 'restarted', 'terminate-run', GRACE),
        TASKWARDEN_STATE_DIR: 'off',
        TASKWARDEN_LOG_LEVEL: 'none',
      },
    },
  );
  try {
    const poison = await queue.add('spins-at-once', {});
    const later = await queue.add('quick', {});
    const starts = new Set<number>();
    for await (const line of createInterface({ input: supervisor.stdout })) {
      const said = JSON.parse(line) as { ready?: number; completed?: string };
      if (said.ready !== undefined) starts.add(said.ready);
      if (said.completed === 'quick') break;
    }
    assert.equal(starts.size, 2, 'the job after it ran in another process');
    assert.match((await queue.getJob(poison.id!))?.failedReason ?? '', /^terminated by Taskwarden/);
    assert.equal(await later.getState(), 'completed');
  } finally {
    supervisor.kill('SIGTERM');
    await once(supervisor, 'close');
  }
});
