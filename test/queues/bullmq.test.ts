import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Queue, Worker } from 'bullmq';
import { Queue as Queue5, Worker as Worker5 } from 'bullmq5';
import { Redis } from 'ioredis';
import { bullmq } from '../../src/queues/bullmq.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';
import { watching } from './watching.ts';

let server: RedisServer;
let redis: Redis;

before(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
});
after(async () => {
  redis.disconnect();
  await server.stop();
});

/** All that a queue's figures take turns of. */
const ALL_TURNS = 8;

for (const [version, Q, W] of [
  ['5', Queue5 as unknown as typeof Queue, Worker5 as unknown as typeof Worker],
  ['6', Queue, Worker],
] as const) {
  test(`BullMQ ${version}: every depth is what its own getJobCounts says`, async (t) => {
    const name = `counts-${version}`;
    const connection = { host: '127.0.0.1', port: server.port };
    const queue = new Q(name, { connection });
    for (let i = 0; i < 5; i++) await queue.add('plain', {});
    await queue.add('urgent', {}, { priority: 2 });
    await queue.add('later', {}, { delay: 3_600_000 });
    await queue.add('later', {}, { delay: 7_200_000 });
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let begun = 0;
    const worker = new W(
      name,
      async (job) => {
        if (++begun === 1) throw new Error('once');
        if (begun === 2) return job.name;
        return held;
      },
      { connection, concurrency: 2, name: 'w1' },
    );
    await new Promise<void>((resolve) => {
      const settled = new Set<string>();
      const see = (event: string) => () => {
        settled.add(event);
        if (settled.size === 2) resolve();
      };
      worker.on('failed', see('failed'));
      worker.on('completed', see('completed'));
    });
    while ((await queue.getActiveCount()) < 2) await queue.getActiveCount();

    const { poll, value, status, commands } = watching(t, server.url, [bullmq]);
    await poll(ALL_TURNS);
    const of = { 'messaging.destination.name': name, 'messaging.system': 'bullmq' };
    const depth = (state: string) => value('queue.depth', { ...of, 'queue.state': state });
    const counts = await queue.getJobCounts();
    assert.equal(depth('ready'), (counts.waiting ?? 0) + (counts.prioritized ?? 0) + (counts.paused ?? 0));
    assert.equal(depth('active'), counts.active);
    assert.equal(depth('scheduled'), counts.delayed);
    assert.equal(depth('dead'), counts.failed);
    assert.equal(depth('completed'), counts.completed);
    assert.equal(depth('blocked'), counts['waiting-children']);
    assert.deepEqual([counts.active, counts.delayed, counts.failed, counts.completed], [2, 2, 1, 1]);
    assert.equal(value('queue.tasks.enqueued', of), 8);
    assert.equal(value('queue.workers', of), await queue.getWorkersCount());
    assert.equal(value('queue.workers', of), 1);
    assert.equal(value('queue.paused', of), 0);
    assert.equal(value('queue.active.orphaned', of), 0);
    assert.equal(value('queue.scheduled.overdue', of), 0);
    assert.equal(status(name), 'ok');
    const [first] = await queue.getJobs(['active'], 0, -1, true);
    const inFlight = (Date.now() - first!.processedOn!) / 1000;
    const oldest = value('queue.active.oldest', of)!;
    assert.ok(oldest >= 0 && oldest <= inFlight, `${oldest} of ${inFlight}`);

    await queue.pause();
    await poll(ALL_TURNS);
    assert.equal(value('queue.paused', of), 1);
    const paused = await queue.getJobCounts();
    assert.equal(depth('ready'), (paused.waiting ?? 0) + (paused.prioritized ?? 0) + (paused.paused ?? 0));
    assert.equal(await queue.isPaused(), true);

    for (const sent of commands) {
      const ours = sent.filter(
        ([, key, first]) => String(key).startsWith(`bull:${name}:`) && first !== 'version',
      );
      assert.ok(ours.length <= 10, `${ours.length} commands: ${JSON.stringify(ours)}`);
    }
    release();
    await worker.close();
    await queue.close();
  });
}

test('the oldest job of a list is found at either end; jobs that are not ready long count from then', async (t) => {
  const queue = new Queue('ages', { connection: { host: '127.0.0.1', port: server.port } });
  const now = Date.now();
  const watch = watching(t, server.url, [bullmq]);
  const oldest = async (): Promise<number | undefined> => {
    await watch.poll();
    return watch.value('queue.ready.oldest', { 'messaging.destination.name': 'ages' });
  };
  const near = (actual: number | undefined, seconds: number): void => {
    assert.ok(actual !== undefined && Math.abs(actual - seconds) < 20, `${actual} is not about ${seconds}`);
  };
  await queue.add('fifo', {}, { timestamp: now - 100_000 });
  near(await oldest(), 100);
  await queue.add('lifo', {}, { timestamp: now, lifo: true });
  near(await oldest(), 100);
  await queue.drain();
  const promoted = await queue.add('delayed', {}, { timestamp: now - 500_000, delay: 450_000 });
  await promoted.promote();
  near(await oldest(), 50);
  await queue.drain();
  // The end of a first attempt is all that a retry leaves behind.
  const retried = await queue.add('retried', {}, { timestamp: now - 500_000 });
  await redis.hset(`bull:ages:${retried.id}`, { ats: '1', atm: '1' });
  assert.equal(await oldest(), undefined, 'unknown is not 0');
  await queue.drain();
  assert.equal(await oldest(), 0);
  await queue.close();
});

test('a starving priority is older than the others; a class without jobs has no series', async (t) => {
  const queue = new Queue('starving', { connection: { host: '127.0.0.1', port: server.port } });
  const now = Date.now();
  await queue.add('urgent', {}, { priority: 1, timestamp: now - 1000 });
  await queue.add('normal', {}, { priority: 5, timestamp: now - 60_000 });
  await queue.add('starved', {}, { priority: 9, timestamp: now - 600_000 });
  const { poll, value } = watching(t, server.url, [bullmq]);
  await poll(ALL_TURNS);
  const of = { 'messaging.destination.name': 'starving' };
  const age = (priority: number) =>
    Math.round((value('queue.priority.oldest', { ...of, 'queue.priority': String(priority) }) ?? -100) / 10);
  assert.deepEqual([1, 5, 9].map(age), [0, 6, 60]);
  assert.ok(value('queue.ready.oldest', of)! >= 600);
  const [, , lowest] = await queue.getPrioritized();
  await lowest!.remove();
  await poll(ALL_TURNS);
  assert.equal(value('queue.priority.oldest', { ...of, 'queue.priority': '9' }), undefined);
  assert.ok(value('queue.ready.oldest', of)! < 100);
  await queue.close();
});

test('a job that nobody holds is an orphan; an overdue one that nobody moves is told', async (t) => {
  const queue = new Queue('left', { connection: { host: '127.0.0.1', port: server.port } });
  const worker = new Worker('left', null, { connection: { host: '127.0.0.1', port: server.port } });
  await queue.add('a', {});
  await queue.add('b', {});
  await worker.getNextJob('token');
  await worker.getNextJob('token');
  await redis.del('bull:left:1:lock');
  await redis.zadd('bull:left:delayed', (Date.now() - 30_000) * 0x1000, 'late');
  const { poll, value } = watching(t, server.url, [bullmq]);
  await poll(ALL_TURNS);
  const of = { 'messaging.destination.name': 'left' };
  assert.equal(value('queue.active.orphaned', of), 1);
  const late = value('queue.scheduled.overdue', of)!;
  assert.ok(late >= 30 && late < 60, String(late));
  await worker.close(true);
  await queue.close();
});

test('a queue that is gone loses its series and is let go; names and prefixes are taken literally', async (t) => {
  const connection = { host: '127.0.0.1', port: server.port };
  const names = ['ünï{code}', 'st*r'];
  const queues = names.map((name) => new Queue(name, { connection, prefix: 'my[p]re:fix' }));
  for (const queue of queues) await queue.add('x', {});
  const watch = watching(t, server.url, [[bullmq, 'my[p]re:fix']]);
  await watch.poll(ALL_TURNS);
  for (const name of names) {
    assert.equal(watch.status(name), 'ok');
    const of = { 'messaging.destination.name': name, 'queue.state': 'ready' };
    assert.equal(watch.value('queue.depth', { ...of, 'queue.prefix': 'my[p]re:fix' }), 1);
  }
  await queues[0]!.obliterate({ force: true });
  await redis.del('my[p]re:fix:ünï{code}:id');
  await watch.poll(5);
  assert.equal(
    watch.value('queue.depth', { 'messaging.destination.name': names[0]!, 'queue.state': 'ready' }),
    undefined,
  );
  await watch.poll(5);
  assert.equal(watch.status(names[0]), undefined);
  assert.equal(watch.status(names[1]), 'ok');
  for (const queue of queues) await queue.close();
});
