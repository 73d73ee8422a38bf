import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, suite, type TestContext, test } from 'node:test';
import { Redis } from 'ioredis';
import { Pipeline } from '../../src/agent/pipeline.ts';
import { loadConfig } from '../../src/config/config.ts';
import { monotonicMs } from '../../src/model/clock.ts';
import { folderWith } from '../fixtures/faults/program.ts';
import type { ReceivedLog } from '../helpers/otlp-items.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';
import { beat } from '../queues/asynq/fake-server.ts';
import { bothEnds } from './parts.ts';

const RULES = `
groups:
  - name: own
    interval: 1s
    rules:
      - alert: ReportTooLong
        expr: max by (messaging_system, messaging_destination_name, redis_instance, task_name) (task_active_oldest_seconds{task_name="report"}) > 30
        annotations: {taskwarden_action: "cancel-task, pause-queue"}
`;
const folder = folderWith({ 'own.yaml': RULES });
let sink: OtlpSink;
let server: RedisServer;
let redis: Redis;

before(async () => {
  [sink, server] = await Promise.all([startSink(), startRedis()]);
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = sink.url;
  redis = new Redis(server.url);
});
after(async () => {
  redis.disconnect();
  await Promise.all([sink.down(), server.stop()]);
  folder.remove();
});

interface Stage {
  /** What servers of asynq have heard so far. */
  cancelled(): Promise<string[]>;
  /** The event of an action of this agent. */
  event(action: string, outcome: string): Promise<ReceivedLog>;
  /** What servers of asynq write; at the end no task is in flight. */
  beat(tasks: 'one task' | 'none'): Promise<void>;
  readonly paused: string;
}

/** An agent that watches a prefix of its own, under which a task has run for a minute. */
async function stage(
  t: TestContext,
  { prefix, sidecar, env }: { prefix: string; sidecar: boolean; env: Record<string, string> },
): Promise<Stage> {
  const heard: string[] = [];
  const listener = new Redis(server.url);
  t.after(() => listener.disconnect());
  listener.on('message', (_, id: string) => heard.push(id));
  await listener.subscribe(`${prefix}:cancel`);
  const seconds = async () => Number((await redis.time())[0]);
  const task = { type: 'report', queue: 'q', started: (await seconds()) - 60 };
  const beats = async (tasks: 'one task' | 'none') =>
    beat(redis, 'a', {
      prefix,
      now: await seconds(),
      tasks: tasks === 'none' ? {} : { [`of-${prefix}`]: task },
    });
  await redis.sadd(`${prefix}:queues`, 'q');
  await redis.hset(`${prefix}:{q}:t:of-${prefix}`, 'state', 'active');
  const config = loadConfig({
    env: {
      ...{ TASKWARDEN_LOG_LEVEL: 'none', TASKWARDEN_STATE_DIR: 'off', TASKWARDEN_SHIPPED_RULES: 'false' },
      ...{ TASKWARDEN_RULES: join(folder.path, 'own.yaml'), TASKWARDEN_QUEUES_INTERVAL: '1s' },
      TASKWARDEN_STORE_STEP: '1s',
      ...{
        OTEL_SERVICE_NAME: prefix,
        OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
        OTEL_BLRP_SCHEDULE_DELAY: '100',
      },
      ...env,
    },
    cwd: folder.path,
  });
  const pipeline = new Pipeline(config, { sidecar });
  if (!sidecar)
    pipeline.watch({
      buffer: bothEnds().shared.buffer,
      clockOffset: monotonicMs() - performance.now(),
    });
  t.after(() => pipeline.stop());
  await pipeline.load();
  await pipeline.connect();
  await pipeline.watchQueues(server.url, { system: 'asynq', prefix, queues: [] });
  // A worker's agent begins 5 s later, and what a server writes lasts 10 s.
  await beats('one task');
  return {
    beat: beats,
    paused: `${prefix}:{q}:paused`,
    async cancelled() {
      await listener.ping();
      return heard;
    },
    event: (action, outcome) =>
      sink.waitFor(
        () =>
          sink.logs.find(
            ({ resource, attributes }) =>
              resource['service.name'] === prefix &&
              attributes['taskwarden.action.name'] === action &&
              attributes['taskwarden.action.outcome'] === outcome,
          ),
        20_000,
      ),
  };
}

suite('a rule asks for actions on asynq', { concurrency: true }, () => {
  for (const sidecar of [true, false])
    test(`${sidecar ? 'a watcher' : "a worker's agent"} cancels the task, and pauses the queue until the alert ends`, async (t) => {
      const prefix = sidecar ? 'sidecar' : 'worker';
      const env = { TASKWARDEN_ACTIONS: 'cancel-task,pause-queue' };
      const { beat, cancelled, event, paused } = await stage(t, { prefix, sidecar, env });
      const { body, attributes } = await event('cancel-task', 'done');
      assert.equal(body, `cancel-task for ReportTooLong: done, cancelled task of-${prefix} of queue q`);
      assert.equal(attributes['messaging.system'], 'asynq');
      assert.equal(attributes['messaging.message.id'], `of-${prefix}`);
      assert.equal(attributes['task.name'], 'report');
      assert.deepEqual(attributes['taskwarden.action.runs.messaging.message.id'], [`of-${prefix}`]);
      assert.deepEqual(await cancelled(), [`of-${prefix}`]);
      await event('pause-queue', 'done');
      assert.equal(await redis.exists(paused), 1);
      await beat('none');
      await sink.waitFor(
        () =>
          sink.logs.find(
            ({ body, resource }) =>
              resource['service.name'] === prefix && String(body).includes('resumed, as the alert has ended'),
          ),
        20_000,
      );
      assert.equal(await redis.exists(paused), 0);
      assert.deepEqual(await cancelled(), [`of-${prefix}`]);
    });

  test('a dry run says what would have been done; what is not allowed is not done', async (t) => {
    const prefix = 'dry';
    const env = { TASKWARDEN_ACTIONS: 'cancel-task', TASKWARDEN_ACTIONS_DRY_RUN: 'true' };
    const { cancelled, event, paused } = await stage(t, { prefix, sidecar: true, env });
    const { attributes } = await event('cancel-task', 'dry_run');
    assert.equal(attributes['taskwarden.action.message'], 'task of-dry of queue q would have been cancelled');
    await event('pause-queue', 'not_allowed');
    assert.deepEqual(await cancelled(), []);
    assert.equal(await redis.exists(paused), 0);
    assert.deepEqual(await redis.keys('taskwarden:cancel:*dry*'), []);
  });
});
