import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { suite, test } from 'node:test';
import { cancelTask, pauseQueue, resumeQueue } from '../../../src/queues/asynq/actions.ts';
import { asynqBinary, asynqMissing } from '../../helpers/go-programs.ts';
import { startServer } from '../../helpers/server-process.ts';
import { stage } from './stage.ts';

/** What goes wrong with real workers, and what is said of it. */
suite('asynq: incidents', { skip: asynqMissing(), concurrency: 4 }, () => {
  const report = { type: 'stubborn:report', id: 'report-1', payload: { ms: 600_000 } } as const;

  test('a worker that is killed leaves a lost task, named within 10 s and a poll', async (t) => {
    const { asynq, worker, until, value, system, poll } = await stage(t);
    await asynq.enqueue(report);
    const victim = worker();
    await until('the task is in flight', () => value('task.active') === 1);
    assert.equal(value('task.lost'), undefined);
    const killed = Date.now();
    await victim.stop('SIGKILL');
    await until('it is lost', () => value('task.lost') === 1);
    assert.ok(Date.now() - killed < 13_000, `${Date.now() - killed} ms`);
    const labels = { task_name: 'stubborn:report', host_name: hostname(), process_pid: String(victim.pid) };
    assert.deepEqual(
      system.runsFor(labels).map(({ jobId, active }) => [jobId, active]),
      [['report-1', false]],
    );
    assert.equal(value('queue.workers', { 'messaging.destination.name': 'default' }), undefined);
    assert.equal((await asynq.inspect()).queues[0]?.Active, 1);
    await poll();
  });

  test('a task that does not look at its deadline is counted when asynq gives it up', async (t) => {
    const { asynq, worker, until, value } = await stage(t);
    await asynq.enqueue({ ...report, timeout: 30_000, maxRetry: -1 });
    worker();
    await until(
      'it is near its deadline',
      () => value('task.active.deadline', { 'task.deadline.state': 'near' }) === 1,
    );
    await until('it is given up', () => value('task.deadline.exceeded') === 1);
    await until('its place is free', () => value('task.active') === undefined);
    const [queue] = (await asynq.inspect()).queues;
    assert.deepEqual([queue?.Active, queue?.Archived], [0, 1]);
  });

  test('tasks that a stopping worker gives back have no age, never 0', async (t) => {
    const { asynq, worker, until, value, poll } = await stage(t);
    await asynq.enqueue(
      { type: 'stubborn:report', payload: { ms: 600_000 }, times: 2 },
      { type: 'ok', id: 'waits' },
    );
    const first = worker('-concurrency', '2');
    await until('two are in flight', () => value('task.active') === 2);
    await first.stop();
    await poll(5);
    const [queue] = (await asynq.inspect()).queues;
    assert.equal(queue?.Pending, 3);
    // The Inspector has no age for the task given back, and says 0.
    assert.equal(queue?.Latency, 0);
    const age = value('queue.ready.oldest')!;
    assert.ok(age > 1, `${age}`);
    assert.equal(value('task.lost'), undefined);
  });

  test('with strict priority a queue starves while its workers are busy', async (t) => {
    const { asynq, worker, until, value } = await stage(t);
    await asynq.enqueue(
      { type: 'stubborn:report', queue: 'high', payload: { ms: 600_000 }, times: 4 },
      { type: 'ok', queue: 'low' },
    );
    worker('-concurrency', '2', '-queues', 'high=2,low=1', '-strict');
    const low = { 'messaging.destination.name': 'low' };
    await until('all are busy', () => value('queue.saturation', low) === 1);
    assert.equal(value('queue.strict_priority', low), 1);
    assert.equal(value('queue.weight', low), 1);
    assert.equal(value('queue.depth', { ...low, 'queue.state': 'active' }), 0);
    assert.ok(value('queue.ready.oldest', low)! > 0);
  });

  test('the process of a worker on this machine, and the tasks in it', async (t) => {
    const { asynq, worker, until, value, system } = await stage(t);
    const bytes = 200_000_000;
    await asynq.enqueue({ type: 'stubborn:leak', id: 'leaks', payload: { ms: 600_000, bytes } });
    const { pid } = worker();
    const of = { 'host.name': hostname(), 'process.pid': String(pid) };
    await until('its memory is known', () => (value('queue.worker.memory.usage', of) ?? 0) > bytes);
    await until('its task is', () => value('task.active') === 1);
    assert.ok(value('queue.worker.memory.usage', of)! < 2 * bytes);
    assert.ok(value('queue.worker.cpu.time', { ...of, 'cpu.mode': 'user' })! > 0);
    assert.ok(value('queue.worker.file_descriptor.count', of)! > 5);
    assert.ok(value('queue.worker.thread.count', of)! > 2);
    assert.ok(value('queue.worker.io', { ...of, 'queue.worker.io.direction': 'read' })! > 1000);
    assert.deepEqual(
      system.runsFor({ host_name: hostname(), process_pid: String(pid) }).map(({ jobId }) => jobId),
      ['leaks'],
    );
  });

  test('cancel-task and pause-queue, as asynq understands them', async (t) => {
    const { asynq, worker, until, value, redis } = await stage(t);
    const send = ([name, ...args]: readonly [string, ...(string | number)[]]) =>
      redis.call(name, ...args.map(String));
    await asynq.enqueue({ type: 'block', id: 'b1', payload: { ms: 600_000 }, maxRetry: -1 });
    worker();
    await until('it is in flight', () => value('task.active') === 1);
    assert.equal(await send(cancelTask('asynq', 'b1')), 1);
    await until('it has ended', () => value('queue.tasks.failed') === 1);
    const queue = { prefix: 'asynq', name: 'default' };
    assert.equal(await send(pauseQueue(queue, Date.now())), 'OK');
    assert.equal(await send(pauseQueue(queue, Date.now())), null);
    assert.equal((await asynq.inspect()).queues[0]?.Paused, true);
    await send(resumeQueue(queue));
    assert.equal((await asynq.inspect()).queues[0]?.Paused, false);
  });

  test('a worker of asynq 0.18', async (t) => {
    const { until, value, redis } = await stage(t);
    const old = startServer(await asynqBinary('asynq-0.18'), [`127.0.0.1:${redis.options.port}`]);
    t.after(() => old.stop('SIGKILL'));
    const active = (type: string) => value('task.active', { 'task.name': type });
    await until('two are in flight', () => active('block:1') === 1 && active('block:2') === 1);
    await until(
      'one has failed',
      // It is tried again after a while, which a busy machine may not see in between.
      () => (value('queue.tasks.failed', { 'messaging.destination.name': 'old' }) ?? 0) >= 1,
    );
    assert.equal(value('queue.ready.oldest', { 'messaging.destination.name': 'older' }), undefined);
  });

  test('examples/asynq: its tasks are seen by type', async (t) => {
    const { until, value, redis } = await stage(t);
    const example = await asynqBinary('asynq-example');
    const env = { REDIS_ADDR: `127.0.0.1:${redis.options.port}` };
    const worker = startServer(example, ['worker'], env);
    t.after(() => worker.stop('SIGKILL'));
    startServer(example, ['enqueue'], env);
    await until('a report is built', () => value('task.active', { 'task.name': 'report:build' }) === 1);
    await until(
      'all mail is sent',
      () => value('queue.tasks.processed', { 'messaging.destination.name': 'mail' }) === 100,
    );
  });
});
