import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Queue } from 'bullmq';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';
import { startProgram } from '../helpers/worker.ts';

const WORKER = join(import.meta.dirname, '../fixtures/bullmq/watched.ts');
let redis: RedisServer;
let sink: OtlpSink;

before(async () => {
  [redis, sink] = await Promise.all([startRedis(), startSink()]);
});
after(async () => {
  await sink.down();
  await redis.stop();
});

test('the queue of a worker is watched without configuration, and the worker ends as it would', async (t) => {
  const queue = new Queue('watched', { connection: { host: '127.0.0.1', port: redis.port }, prefix: 'jobs' });
  t.after(() => queue.close());
  await queue.add('later', {}, { delay: 3_600_000 });
  const programs = ['options', 'client'].map((how) =>
    startProgram(WORKER, {
      args: [how],
      redis,
      sink,
      env: { OTEL_SERVICE_NAME: how, OTEL_METRIC_EXPORT_INTERVAL: '500', TASKWARDEN_QUEUES_INTERVAL: '1s' },
    }),
  );
  await Promise.all(programs.map((program) => program.said('ready')));
  const found = (name: string, value: number, attributes: Record<string, string> = {}) =>
    sink.waitFor(
      () =>
        sink.metrics.find(
          (point) =>
            point.name === name &&
            point.value === value &&
            Object.entries(attributes).every(([key, wanted]) => point.attributes[key] === wanted),
        ),
      20_000,
    );
  const of = {
    'messaging.system': 'bullmq',
    'messaging.destination.name': 'watched',
    'queue.prefix': 'jobs',
  };
  const depth = await found('queue.depth', 1, { ...of, 'queue.state': 'scheduled' });
  const leader = await found('taskwarden.redis.leader', 1);
  const standby = await found('taskwarden.redis.leader', 0);
  assert.equal(depth.resource['service.name'], leader.resource['service.name']);
  assert.notEqual(standby.resource['service.name'], leader.resource['service.name']);
  await found('queue.workers', 2, of);
  for (const program of programs) program.child.stdin!.end();
  for (const { code, stderr } of await Promise.all(programs.map((program) => program.ended))) {
    assert.equal(stderr, '');
    assert.equal(code, 0);
  }
});

test('queues.watch off: no connection is made', async () => {
  const program = startProgram(WORKER, {
    redis,
    sink,
    env: { OTEL_SERVICE_NAME: 'off', OTEL_METRIC_EXPORT_INTERVAL: '200', TASKWARDEN_QUEUES_WATCH: 'off' },
  });
  await program.said('ready');
  await sink.waitFor(() => sink.metrics.find(({ resource }) => resource['service.name'] === 'off'));
  program.child.stdin!.end();
  await program.ended;
  assert.equal(
    sink.metrics.find(
      ({ name, resource }) => resource['service.name'] === 'off' && name.startsWith('taskwarden.redis'),
    ),
    undefined,
  );
});
