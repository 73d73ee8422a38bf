import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { Redis } from 'ioredis';
import { folderWith } from '../../fixtures/faults/program.ts';
import { Asynq } from '../../helpers/asynq.ts';
import { CLI } from '../../helpers/built.ts';
import { asynqMissing } from '../../helpers/go-programs.ts';
import type { ReceivedLog } from '../../helpers/otlp-items.ts';
import { startSink } from '../../helpers/otlp-sink.ts';
import { startRedis } from '../../helpers/redis.ts';
import { type ServerProcess, startServer } from '../../helpers/server-process.ts';

const RULES = `
groups:
  - name: own
    interval: 1s
    rules:
      - alert: ReportTooLong
        expr: max by (messaging_system, messaging_destination_name, redis_instance, task_name) (task_active_oldest_seconds{task_name="block:report"}) > 3
        annotations: {taskwarden_action: cancel-task}
      - alert: MailDies
        expr: queue_depth{messaging_destination_name="mail", queue_state="dead"} > 0
        annotations: {taskwarden_action: pause-queue}
`;
const WITHIN_MS = 60_000;

interface Stage {
  readonly asynq: Asynq;
  readonly redis: Redis;
  worker(...flags: string[]): ServerProcess;
  /** Events of actions, of all watchers together. */
  events(action: string): ReceivedLog[];
  /** The first event of an action whose body says so. */
  event(action: string, says: RegExp): Promise<ReceivedLog>;
}

/** A Redis, and two processes that watch it: what one does is not to be done by the other. */
async function stage(t: TestContext): Promise<Stage> {
  const folder = folderWith({ 'own.yaml': RULES });
  const server = await startRedis();
  const sink = await startSink();
  const redis = new Redis(server.url);
  const watchers = ['first', 'second'].map((name) =>
    startServer(
      process.execPath,
      [CLI, 'watch', '--redis', server.url, '--interval', '1s', '--rules', join(folder.path, 'own.yaml')],
      {
        OTEL_SERVICE_NAME: name,
        OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
        OTEL_BLRP_SCHEDULE_DELAY: '100',
        TASKWARDEN_ACTIONS: 'cancel-task,pause-queue',
        TASKWARDEN_STATE_DIR: 'off',
        NODE_NO_WARNINGS: '1',
      },
    ),
  );
  const workers: ServerProcess[] = [];
  t.after(async () => {
    await Promise.all([...watchers.map((one) => one.stop()), ...workers.map((one) => one.stop('SIGKILL'))]);
    redis.disconnect();
    await Promise.all([sink.down(), server.stop()]);
    folder.remove();
  });
  await Promise.all(watchers.map((one) => one.until('it watches', () => one.output().includes('watching'))));
  const asynq = await Asynq.on(server);
  const events = (action: string) =>
    sink.logs.filter(({ attributes }) => attributes['taskwarden.action.name'] === action);
  return {
    asynq,
    redis,
    worker(...flags) {
      const worker = asynq.worker(...flags);
      workers.push(worker);
      return worker;
    },
    events,
    event: (action, says) =>
      sink.waitFor(() => events(action).find(({ body }) => says.test(String(body))), WITHIN_MS),
  };
}

/** Ids of the tasks whose handlers have ended. */
function ended(worker: ServerProcess): string[] {
  const lines = worker.output().split('\n').slice(0, -1);
  return lines
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { event: string; id: string })
    .flatMap(({ event, id }) => (event === 'ended' ? id : []));
}

suite('actions on workers of asynq', { skip: asynqMissing(), concurrency: 2 }, () => {
  test('a task that takes too long is cancelled because of a rule: its context ends, and no other', async (t) => {
    const { asynq, worker, event, events } = await stage(t);
    const server = worker();
    await asynq.enqueue(
      { type: 'block:report', id: 'long', payload: { ms: 600_000 }, maxRetry: -1 },
      { type: 'block:other', id: 'other', payload: { ms: 600_000 }, maxRetry: -1 },
    );
    const { body, attributes } = await event('cancel-task', /done/);
    assert.equal(body, 'cancel-task for ReportTooLong: done, cancelled task long of queue default');
    assert.equal(attributes['messaging.message.id'], 'long');
    await server.until('its handler has ended', () => ended(server).includes('long'), WITHIN_MS);
    const queue = async () => (await asynq.inspect()).queues[0];
    await server.until('asynq takes it for failed', async () => (await queue())?.Archived === 1, WITHIN_MS);
    assert.equal((await queue())?.Active, 1);
    assert.deepEqual(ended(server), ['long']);
    assert.equal(events('cancel-task').length, 1);
  });

  test('a queue that is paused takes no more, and goes on after the alert', async (t) => {
    const { asynq, worker, event, events, redis } = await stage(t);
    const server = worker('-queues', 'default=1,mail=1');
    await asynq.enqueue({
      type: 'archive:mail',
      id: 'dies',
      queue: 'mail',
      payload: { error: 'as ordered' },
    });
    await event('pause-queue', /is paused for all workers/);
    const paused = async (): Promise<boolean | undefined> =>
      (await asynq.inspect()).queues.find(({ Queue }) => Queue === 'mail')?.Paused;
    assert.equal(await paused(), true);
    await asynq.enqueue({ type: 'ok', id: 'waits', queue: 'mail' });
    // Each time a server looks for a task it begins with either queue.
    await asynq.enqueue({ type: 'ok', times: 60 });
    await server.until('the other queue is done', () => ended(server).length === 61, WITHIN_MS);
    assert.ok(!ended(server).includes('waits'));

    await redis.del('asynq:{mail}:archived');
    await event('pause-queue', /is resumed, as the alert has ended/);
    assert.equal(await paused(), false);
    await server.until('it goes on', () => ended(server).includes('waits'), WITHIN_MS);
    assert.equal(events('pause-queue').length, 2);
  });
});
