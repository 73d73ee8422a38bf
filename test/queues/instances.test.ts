import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { createAsynq } from '../../src/queues/asynq/asynq.ts';
import { bullmq } from '../../src/queues/bullmq.ts';
import { Claims } from '../../src/queues/claims.ts';
import { resque } from '../../src/queues/resque.ts';
import type { QueueSystem } from '../../src/queues/system.ts';
import { instanceName, parseTarget } from '../../src/queues/target.ts';
import { Registry } from '../../src/store/registry.ts';
import { startRedis } from '../helpers/redis.ts';
import { beat, type FakeServer } from './asynq/fake-server.ts';
import { addReader, type Watching, watching } from './watching.ts';

/** Two Redis instances in which everything has the same name, watched by one process: what is of one must not show on the other. */

interface Instance {
  readonly redis: Redis;
  readonly port: number;
  readonly name: string;
  readonly watch: Watching;
  value(metric: string, attributes?: Readonly<Record<string, string>>): number | undefined;
  stop(): Promise<void>;
}

async function pair(t: TestContext, system: QueueSystem): Promise<[Instance, Instance]> {
  const registry = new Registry(Date.now(), { maxSeriesPerMetric: 2000 });
  const start = async (): Promise<Instance> => {
    const server = await startRedis();
    const redis = new Redis(server.url);
    redis.on('error', () => {});
    const watch = watching(t, server.url, [system], { registry });
    const name = instanceName(parseTarget(server.url));
    const stop = async () => {
      redis.disconnect();
      await server.stop();
    };
    t.after(stop);
    return {
      redis,
      port: server.port,
      name,
      watch,
      stop,
      value: (metric, attributes) => watch.value(metric, { ...attributes, 'redis.instance': name }),
    };
  };
  return [await start(), await start()];
}

/** A TaskMessage of asynq: its type and its error. */
function failure(type: string, error: string): Buffer {
  const field = (id: number, text: string) => [(id << 3) | 2, text.length, ...Buffer.from(text)];
  return Buffer.from([...field(1, type), ...field(7, error)]);
}

const OF_Q = { 'messaging.destination.name': 'q' };

test('asynq: queues, servers, tasks and failures of the same name', async (t) => {
  const system = createAsynq();
  const [a, b] = await pair(t, system);
  const now = Number((await a.redis.time())[0]);
  const server = (type: string, concurrency: number): FakeServer => ({
    now,
    concurrency,
    tasks: { t1: { type, queue: 'q' } },
  });
  for (const [{ redis }, type, concurrency, archived] of [
    [a, 'report', 10, 3],
    [b, 'mail', 5, 1],
  ] as const) {
    await beat(redis, 'same-id', server(type, concurrency));
    await redis.sadd('asynq:queues', 'q');
    await redis.lpush('asynq:{q}:active', 't1');
    await redis.hset('asynq:{q}:t:t1', 'state', 'active');
    for (let i = 0; i < archived; i++) {
      await redis.zadd('asynq:{q}:archived', now + i, `f${i}`);
      await redis.hset(`asynq:{q}:t:f${i}`, 'msg', failure(type, 'refused'));
    }
  }
  for (let i = 0; i < 6; i++) for (const { watch } of [a, b]) await watch.poll();

  const type = (name: string) => ({ ...OF_Q, 'task.name': name });
  for (const [one, own, other, capacity, dead] of [
    [a, 'report', 'mail', 10, 3],
    [b, 'mail', 'report', 5, 1],
  ] as const) {
    assert.equal(one.value('task.active', type(own)), 1);
    assert.equal(one.value('task.active', type(other)), undefined);
    assert.equal(one.value('queue.worker.capacity', { 'host.name': 'h1' }), capacity);
    assert.equal(one.value('queue.capacity', OF_Q), capacity);
    assert.equal(one.value('task.failures.sampled', type(own)), dead);
    assert.equal(one.value('task.failures.sampled', type(other)), undefined);
    assert.equal(one.value('queue.depth', { ...OF_Q, 'queue.state': 'dead' }), dead);
  }

  await a.redis.del('asynq:servers', 'asynq:servers:{h1:7:same-id}', 'asynq:workers:{h1:7:same-id}');
  await a.watch.poll();
  await b.watch.poll();
  assert.equal(a.value('task.lost', OF_Q), 1);
  assert.equal(b.value('task.lost', OF_Q), undefined);
  assert.equal(b.value('task.active', type('mail')), 1);
  assert.equal(a.value('queue.worker.capacity'), undefined);
  assert.equal(b.value('queue.worker.capacity'), 5);
  const runs = (labels: Record<string, string>) =>
    system.runsFor(labels).map(({ task, active }) => ({ task, active }));
  assert.deepEqual(runs({ redis_instance: a.name }), [{ task: 'report', active: false }]);
  assert.deepEqual(runs({ redis_instance: b.name }), [{ task: 'mail', active: true }]);

  await a.stop();
  await a.watch.poll();
  assert.equal(a.value('task.lost'), undefined);
  assert.equal(b.value('task.active', type('mail')), 1, 'what ends with one goes on with the other');
  assert.equal(b.value('queue.depth', { ...OF_Q, 'queue.state': 'dead' }), 1);
});

test('asynq: an instance with more types than are told apart leaves the other its own', async (t) => {
  const [a, b] = await pair(t, createAsynq());
  const now = Number((await a.redis.time())[0]);
  const tasks = Object.fromEntries(
    Array.from({ length: 210 }, (_, i) => [`t${i}`, { type: `made-up-${i}`, queue: 'q' }]),
  );
  await beat(a.redis, 'a', { now, tasks });
  await beat(b.redis, 'b', { now, tasks: { t1: { type: 'mail', queue: 'q' } } });
  await a.watch.poll();
  await b.watch.poll();
  assert.equal(a.value('task.active', { 'task.name': 'other' }), 10);
  assert.equal(b.value('task.active', { 'task.name': 'mail' }), 1);
});

test('BullMQ: queues and job ids of the same name', async (t) => {
  const [a, b] = await pair(t, bullmq);
  for (const [{ port }, jobs] of [
    [a, 3],
    [b, 1],
  ] as const) {
    const queue = new Queue('mail', { connection: { host: '127.0.0.1', port } });
    for (let i = 0; i < jobs; i++) await queue.add('x', {}, { jobId: `id-${i}` });
    await queue.close();
  }
  for (let i = 0; i < 4; i++) for (const { watch } of [a, b]) await watch.poll();
  const ready = { 'messaging.destination.name': 'mail', 'queue.state': 'ready' };
  const leads = () => [a, b].map(({ value }) => value('taskwarden.redis.leader'));
  assert.deepEqual([a.value('queue.depth', ready), b.value('queue.depth', ready)], [3, 1]);
  assert.deepEqual(leads(), [1, 1]);

  await b.redis.flushall();
  for (let i = 0; i < 4; i++) for (const { watch } of [a, b]) await watch.poll();
  assert.deepEqual([a.value('queue.depth', ready), b.value('queue.depth', ready)], [3, undefined]);

  await b.stop();
  await b.watch.poll();
  const outcome = (name: string) => ({ 'queue.poll.outcome': name });
  assert.equal(b.value('taskwarden.redis.status', outcome('unreachable')), 1);
  await a.watch.poll();
  assert.equal(a.value('taskwarden.redis.status', outcome('ok')), 1);
  assert.equal(a.value('queue.depth', ready), 3);
});

test('two prefixes in one Redis: what belongs to no single queue has the prefix', async (t) => {
  const server = await startRedis();
  t.after(() => server.stop());
  const redis = new Redis(server.url);
  t.after(() => redis.disconnect());
  const watch = watching(t, server.url, [resque, [resque, 'second']]);
  for (const [prefix, failed] of [
    ['resque', 2],
    ['second', 3],
  ] as const) {
    await redis.sadd(`${prefix}:queues`, 'q');
    for (let i = 0; i < failed; i++) await redis.rpush(`${prefix}:failed`, '{}');
  }
  await watch.poll(6);
  const dead = [...watch.registry.metrics()].find(({ name }) => name === 'queue.depth')!.points.values();
  const values = [...dead].filter(({ attributes }) => attributes['queue.state'] === 'dead');
  assert.deepEqual(
    values.map((point) => [point.attributes['queue.prefix'], 'value' in point && point.value]).sort(),
    [
      [undefined, 2],
      ['second', 3],
    ],
  );
});

test('an instance has a name of its own, whatever order its addresses are told in', () => {
  const name = (url: string) => instanceName(parseTarget(url));
  assert.notEqual(name('redis-sentinel://eu?master=mymaster'), name('redis-sentinel://us?master=mymaster'));
  assert.notEqual(name('redis-sentinel://s?master=a'), name('redis-sentinel://s?master=b'));
  assert.equal(name('redis-sentinel://b,a:1/2?master=m'), 'm@a:1/2');
  assert.equal(name('redis-sentinel://a:1,b/2?master=m'), 'm@a:1/2');
  assert.equal(name('redis-cluster://b:7,a:7'), name('redis-cluster://a:7,b:7'));
  assert.equal(name('redis://user:s3cret@a'), 'a:6379/0');
  assert.notEqual(name('redis://a/1'), name('redis://a'));
});

test('one Redis by two addresses and a replica: polled once, told once, with and without a lease', async (t) => {
  const server = await startRedis();
  const replica = await startRedis();
  const redis = new Redis(server.url);
  const copy = new Redis(replica.url);
  t.after(async () => {
    redis.disconnect();
    copy.disconnect();
    await replica.stop();
    await server.stop();
  });
  await redis.sadd('asynq:queues', 'q');
  await redis.lpush('asynq:{q}:pending', 'a');
  await redis.config('SET', 'repl-diskless-sync-delay', 0);
  await copy.replicaof('127.0.0.1', server.port);
  while ((await copy.exists('asynq:queues')) === 0) await new Promise((later) => setTimeout(later, 50));
  for (const each of [redis, copy]) await addReader(each);

  for (const user of ['', 'reader:x@']) {
    const registry = new Registry(Date.now(), { maxSeriesPerMetric: 2000 });
    const claims = new Claims();
    const of = (host: string, port: number) =>
      watching(t, `redis://${user}${host}:${port}`, [createAsynq()], { registry, claims });
    const watches = [
      of('127.0.0.1', server.port),
      of('localhost', server.port),
      of('127.0.0.1', replica.port),
    ];
    for (let i = 0; i < 3; i++)
      for (const watch of watches) {
        await watch.poll();
        // A lease that the replica has not heard of is none to it.
        await redis.incr('written');
        await redis.wait(1, 5000);
      }
    const { value } = watches[0]!;
    // A second series of the queue would be an error of value().
    assert.equal(value('queue.depth', { ...OF_Q, 'queue.state': 'ready' }), 1, `user ${user}`);
    const leaders = watches.map((watch) =>
      value('taskwarden.redis.leader', { 'redis.instance': watch.watcher.instance }),
    );
    assert.deepEqual(leaders, [1, 0, 0], `user ${user}`);
    for (const { commands } of watches.slice(1))
      assert.ok(!commands.flat().some(([name]) => name === 'LLEN' || name === 'SSCAN'), `user ${user}`);

    // When the address that is polled fails, another takes its place.
    await watches[0]!.watcher.stop();
    while ((await redis.exists('taskwarden:lease:{asynq:asynq}')) > 0);
    await watches[1]!.poll();
    assert.equal(
      value('taskwarden.redis.leader', { 'redis.instance': watches[1]!.watcher.instance }),
      1,
      `user ${user}`,
    );
    for (const { watcher } of watches) await watcher.stop();
    while ((await redis.exists('taskwarden:lease:{asynq:asynq}')) > 0);
  }
});

test('two databases of one Redis are two', async (t) => {
  const server = await startRedis();
  t.after(() => server.stop());
  const redis = new Redis(server.url);
  t.after(() => redis.disconnect());
  await addReader(redis, '%R~*', '+select');
  const claims = new Claims();
  for (const db of [0, 1]) {
    const watch = watching(t, `redis://reader:x@127.0.0.1:${server.port}/${db}`, [createAsynq()], { claims });
    await watch.poll();
    assert.equal(watch.value('taskwarden.redis.leader'), 1);
  }
});
