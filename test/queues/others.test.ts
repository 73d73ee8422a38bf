import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import BeeQueue from 'bee-queue';
import Bull from 'bull';
import { Queue as BullMq } from 'bullmq';
import { Redis } from 'ioredis';
import { Queue as ResqueQueue, Worker as ResqueWorker } from 'node-resque';
import { beeQueue } from '../../src/queues/bee-queue.ts';
import { bull } from '../../src/queues/bull.ts';
import { bullmq } from '../../src/queues/bullmq.ts';
import { resque } from '../../src/queues/resque.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';
import { type Watching, watching } from './watching.ts';

let server: RedisServer;

before(async () => {
  server = await startRedis();
});
after(async () => {
  await server.stop();
});

/** All that a queue's figures take turns of. */
const ALL_TURNS = 4;

function depths({ value }: Watching, queue: string, states: readonly string[]): (number | undefined)[] {
  return states.map((state) =>
    value('queue.depth', { 'messaging.destination.name': queue, 'queue.state': state }),
  );
}

function atMostTen({ commands }: Watching, key: string): void {
  for (const sent of commands) {
    const ours = sent.filter(
      ([, first]) => String(first).startsWith(key) && !String(first).endsWith('events'),
    );
    assert.ok(ours.length > 0 && ours.length <= 10, `${ours.length} commands: ${JSON.stringify(ours)}`);
  }
}

test('Bull: every depth is what getJobCounts says; BullMQ queues under the same prefix are none of its', async (t) => {
  const redis = { host: '127.0.0.1', port: server.port };
  const name = 'old:with colon';
  const queue = new Bull(name, { redis });
  t.after(() => queue.close(true));
  const newer = new BullMq('newer', { connection: redis });
  t.after(() => newer.close());
  await newer.add('x', {});
  const now = Date.now();
  // Bull takes it, its types do not say so.
  await queue.add({ n: 1 }, { timestamp: now - 90_000 } as object);
  for (let i = 0; i < 3; i++) await queue.add({ i });
  await queue.add({}, { delay: 3_600_000 });
  await queue.add({}, { priority: 3 });
  await queue.add('ends', {}, { lifo: true });
  const taken = await queue.getNextJob();
  await taken!.moveToCompleted('fine', true, true);
  const failing = await queue.getNextJob();
  await failing!.moveToFailed(new Error('broken'), true);
  await queue.getNextJob();
  const watch = watching(t, server.url, [bull, bullmq]);
  await watch.poll(ALL_TURNS);
  const states = ['ready', 'active', 'scheduled', 'dead', 'completed'];
  const counts = await queue.getJobCounts();
  const of = { 'messaging.destination.name': name, 'messaging.system': 'bull' };
  assert.deepEqual(depths(watch, name, states), [
    counts.waiting,
    counts.active,
    counts.delayed,
    counts.failed,
    counts.completed,
  ]);
  assert.ok(counts.failed === 1 && counts.completed === 1 && counts.delayed === 1 && counts.active >= 1);
  assert.equal(watch.value('queue.tasks.enqueued', of), 7);
  assert.equal(watch.value('queue.active.orphaned', of), 0);
  assert.equal(watch.value('queue.paused', of), 0);
  assert.equal(watch.status(name), 'ok');
  assert.equal(watch.status('newer'), 'ok');
  assert.equal(
    watch.value('queue.poll.status', { 'messaging.system': 'bull', 'messaging.destination.name': 'newer' }),
    undefined,
  );
  await queue.pause();
  await watch.poll(ALL_TURNS);
  assert.equal(watch.value('queue.paused', of), 1);
  assert.equal(depths(watch, name, ['ready'])[0], counts.waiting);
  // Its pause writes a hash that is BullMQ's.
  const again = watching(t, server.url, [bullmq], { owner: 'another' });
  await watch.watcher.stop();
  await again.poll(2);
  assert.equal(again.status(name), undefined);
  atMostTen(watch, `bull:${name}:`);
});

test('bee-queue: every depth is what checkHealth says; ages count from when a job was first known to be there', async (t) => {
  const queue = new BeeQueue<object>('bees', {
    redis: { host: '127.0.0.1', port: server.port },
    activateDelayedJobs: true,
  });
  t.after(() => queue.close());
  await queue.ready();
  let clock = 0;
  const watch = watching(t, server.url, [beeQueue], { now: () => clock });
  for (let i = 0; i < 4; i++) await queue.createJob({ i }).save();
  await queue
    .createJob({})
    .delayUntil(Date.now() + 3_600_000)
    .save();
  await watch.poll();
  const of = { 'messaging.destination.name': 'bees' };
  assert.equal(watch.value('queue.ready.oldest', of), undefined, 'nothing can be said of it yet');
  clock += 10;
  await watch.poll(3);
  const health = await queue.checkHealth();
  assert.deepEqual(depths(watch, 'bees', ['ready', 'active', 'scheduled', 'dead', 'completed']), [
    health.waiting,
    health.active,
    health.delayed,
    health.failed,
    health.succeeded,
  ]);
  assert.equal(watch.value('queue.tasks.enqueued', of), health.newestJob);
  assert.deepEqual([health.waiting, health.delayed], [4, 1]);
  const age = watch.value('queue.ready.oldest', of);
  assert.ok(age !== undefined && age > 0 && age < 60, String(age));

  const done = new Promise<void>((resolve) => {
    let ended = 0;
    const see = (): void => {
      if (++ended === 4) resolve();
    };
    queue.on('succeeded', see);
    queue.on('failed', see);
  });
  queue.process(async (job: { data: { i?: number } }) => {
    if (job.data.i === 2) throw new Error('broken');
  });
  await done;
  await watch.poll();
  const after = await queue.checkHealth();
  assert.deepEqual(depths(watch, 'bees', ['ready', 'active', 'scheduled', 'dead', 'completed']), [
    after.waiting,
    after.active,
    after.delayed,
    after.failed,
    after.succeeded,
  ]);
  assert.equal(after.failed, 1);
  assert.equal(watch.value('queue.ready.oldest', of), 0);
  atMostTen(watch, 'bq:bees:');
});

test('node-resque: depths and counters are what its own say; ages are unknown', async (t) => {
  const connection = { host: '127.0.0.1', port: server.port, pkg: 'ioredis' };
  const jobs = {
    add: { perform: async (a: number) => a, plugins: [], pluginOptions: {} },
    fail: {
      perform: async () => {
        throw new Error('broken');
      },
      plugins: [],
      pluginOptions: {},
    },
  };
  const queue = new ResqueQueue({ connection }, jobs as never);
  queue.on('error', () => {});
  await queue.connect();
  t.after(() => queue.end());
  await queue.enqueue('math', 'add', [1]);
  await queue.enqueue('math', 'fail', []);
  await queue.enqueue('math', 'add', [2]);
  await queue.enqueue('waiting', 'add', [1]);
  await queue.enqueueAt(Date.now() - 20_000, 'math', 'add', [3]);
  const worker = new ResqueWorker({ connection, queues: ['math'], name: 'host:1' } as never, jobs as never);
  worker.on('error', () => {});
  await worker.connect();
  t.after(() => worker.end());
  const redis = new Redis(server.url);
  t.after(() => redis.disconnect());
  const drained = new Promise<void>((resolve) => {
    let ended = 0;
    const see = (): void => {
      if (++ended === 3) resolve();
    };
    worker.on('success', see);
    worker.on('failure', see);
  });
  await worker.start();
  await drained;
  const watch = watching(t, server.url, [resque]);
  await watch.poll(2);
  const stats = (await queue.stats()) as Record<string, string>;
  assert.equal(watch.value('queue.tasks.failed'), Number(stats.failed));
  assert.equal(watch.value('queue.tasks.processed'), Number(stats.processed) + Number(stats.failed));
  assert.deepEqual([stats.processed, stats.failed], ['2', '1']);
  assert.deepEqual(depths(watch, 'waiting', ['ready']), [await queue.length('waiting')]);
  assert.deepEqual(depths(watch, 'math', ['ready']), [await queue.length('math')]);
  assert.equal(watch.value('queue.depth', { 'queue.state': 'dead' }), await queue.failedCount());
  assert.equal(
    watch.value('queue.workers', { 'messaging.destination.name': 'math' }),
    Object.keys(await queue.workers()).length,
  );
  assert.ok(watch.value('queue.scheduled.overdue')! >= 19);
  assert.equal(watch.value('queue.ready.oldest'), undefined);
  await queue.delQueue('waiting');
  await watch.poll(3);
  assert.equal(watch.status('waiting'), undefined);
  atMostTen(watch, 'resque:queue:');
});

test('a Redis that has nothing of Resque has no figures of it', async (t) => {
  const empty = await startRedis();
  t.after(() => empty.stop());
  const watch = watching(t, empty.url, [resque, beeQueue, bull, bullmq]);
  await watch.poll(2);
  assert.equal(watch.status(), 'ok');
  assert.deepEqual(
    [...watch.registry.metrics()].map(({ name }) => name).filter((name) => name.startsWith('queue.')),
    [],
  );
});
