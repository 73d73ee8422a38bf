import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { asynqMissing } from '../../helpers/go-programs.ts';
import { stage } from './stage.ts';

/** Every gauge against asynq's own Inspector, on the same Redis, with real workers. */
suite('asynq: what its Inspector says', { skip: asynqMissing(), concurrency: 3 }, () => {
  test('success, retry, archive, panic, schedule, retention and tasks in flight', async (t) => {
    const { asynq, worker, until, value, compare } = await stage(t);
    await asynq.enqueue(
      { type: 'ok', times: 20 },
      { type: 'ok', retention: 3_600_000, times: 3 },
      { type: 'fail:mail', payload: { error: 'smtp' }, times: 2 },
      { type: 'panic', times: 1 },
      { type: 'archive:pdf', payload: { error: 'no such file' }, queue: 'low:{x}', times: 4 },
      { type: 'ok', processIn: 3_600_000, times: 5 },
      { type: 'stubborn:report', payload: { ms: 600_000 }, queue: 'low:{x}', id: 'r1' },
      { type: 'ok', queue: 'nobody', times: 7 },
    );
    worker('-concurrency', '4', '-queues', 'default=3,low:{x}=1', '-retry-delay', '1h');
    const active = { 'messaging.destination.name': 'low:{x}', 'task.name': 'stubborn:report' };
    await until('a task is in flight', () => value('task.active', active) === 1);
    const { queues } = await compare();
    const found = Object.fromEntries(queues.map((queue) => [queue.Queue, queue]));
    assert.deepEqual(
      [found.default?.Retry, found.default?.Completed, found.default?.Scheduled, found.nobody?.Pending],
      [3, 3, 5, 7],
    );
    assert.deepEqual([found['low:{x}']?.Archived, found['low:{x}']?.Active], [4, 1]);
    const failed = (queue: string, state: string, type: string) =>
      value('task.failures.sampled', {
        'messaging.destination.name': queue,
        'queue.state': state,
        'task.name': type,
      });
    await until('both queues are sampled', () => failed('low:{x}', 'dead', 'archive:pdf') === 4);
    assert.equal(failed('default', 'retry', 'fail:mail'), 2);
    assert.equal(failed('default', 'retry', 'panic'), 1);
    const errors = (queue: string, state: string) =>
      value('queue.failures.errors', { 'messaging.destination.name': queue, 'queue.state': state });
    assert.equal(errors('default', 'retry'), 2);
    assert.equal(errors('low:{x}', 'dead'), 1);
  });

  test('groups, unique tasks and pause', async (t) => {
    const { asynq, worker, compare, value } = await stage(t);
    const taken = await asynq.enqueue(
      { type: 'ok', group: 'a', times: 3 },
      { type: 'ok', group: 'b' },
      { type: 'once', unique: 60_000, times: 2 },
    );
    assert.equal(taken.filter(({ error }) => error !== undefined).length, 1);
    await compare();
    assert.equal(value('queue.groups'), 2);
    assert.equal(value('queue.depth', { 'queue.state': 'ready' }), 1);
    await asynq.inspect('-pause', 'default');
    worker('-groups');
    await compare();
    assert.equal(value('queue.paused'), 1);
    await asynq.inspect('-unpause', 'default');
    await compare();
    assert.equal(value('queue.paused'), 0);
  });

  test('a queue that is deleted while it is watched', async (t) => {
    const { asynq, poll, status, compare } = await stage(t);
    await asynq.enqueue({ type: 'ok', queue: 'short-lived', times: 3 });
    await compare();
    assert.equal(status('short-lived'), 'ok');
    await asynq.inspect('-delete', 'short-lived');
    await poll();
    assert.equal(status('short-lived'), 'gone');
  });

  test('schedules', async (t) => {
    const { asynq, until, value } = await stage(t);
    const scheduler = asynq.scheduler('-spec', '@every 1s', '-type', 'ok:tick');
    t.after(() => scheduler.stop());
    await until(
      'an entry is there',
      () => value('queue.schedule.last', { 'task.name': 'ok:tick' }) !== undefined,
    );
    const { schedulers } = await asynq.inspect();
    assert.equal(value('queue.schedulers'), 1);
    const last = value('queue.schedule.last', { 'task.name': 'ok:tick' })!;
    assert.ok(Math.abs(Date.now() / 1000 - last - schedulers[0]!.Prev) < 12, `${last}`);
  });
});
