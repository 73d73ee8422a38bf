import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, beforeEach, type TestContext, test } from 'node:test';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { beeQueue } from '../../src/queues/bee-queue.ts';
import { bull } from '../../src/queues/bull.ts';
import { bullmq } from '../../src/queues/bullmq.ts';
import { resque } from '../../src/queues/resque.ts';
import type { QueueSystem } from '../../src/queues/system.ts';
import { parseTarget } from '../../src/queues/target.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';
import { startProxy } from './proxy.ts';
import { addReader, watching } from './watching.ts';

let server: RedisServer;
let redis: Redis;

before(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  const queue = new Queue('mail', { connection: { host: '127.0.0.1', port: server.port } });
  await queue.add('x', {});
  await queue.close();
});
after(async () => {
  redis.disconnect();
  await server.stop();
});

// A watcher whose way to Redis is closed cannot give its lease back.
beforeEach(() => redis.del('taskwarden:lease:{bullmq:bull}'));

const READY = { 'messaging.destination.name': 'mail', 'queue.state': 'ready' };

test('a Redis that goes away: a clear status, growing pauses, recovery without a restart', async (t) => {
  const proxy = await startProxy(server.port);
  t.after(() => proxy.close());
  const watch = watching(t, proxy.url, [bullmq]);
  await watch.poll(2);
  assert.equal(watch.value('queue.depth', READY), 1);
  assert.equal(watch.value('taskwarden.redis.leader'), 1);
  await proxy.down();
  const pauses: number[] = [];
  for (let i = 0; i < 6; i++) pauses.push(await watch.poll());
  assert.equal(watch.status(), 'unreachable');
  assert.equal(watch.status('mail'), 'unreachable');
  assert.equal(watch.value('queue.depth', READY), undefined, 'what is unknown is absent');
  assert.equal(watch.value('taskwarden.redis.leader'), 1, 'who led speaks for the queues');
  assert.ok(pauses.at(-1)! > 8 * pauses[0]! * 0.5, `${pauses}`);
  assert.ok(Math.max(...pauses) <= 75_000);
  await proxy.up();
  await watch.poll();
  assert.equal(watch.status(), 'ok');
  assert.equal(watch.value('queue.depth', READY), 1);
  assert.deepEqual(watch.errors, []);
});

test('no poll makes more than one connection, and a cut one is not made again by itself', async (t) => {
  const proxy = await startProxy(server.port);
  t.after(() => proxy.close());
  const watch = watching(t, proxy.url, [bullmq]);
  await watch.poll(3);
  assert.equal(proxy.accepted(), 1);
  await proxy.down();
  await proxy.up();
  await watch.poll(3);
  assert.equal(proxy.accepted(), 2);
});

test('a slow Redis is asked less often; one that never answers is given up', async (t) => {
  const proxy = await startProxy(server.port);
  t.after(() => proxy.close());
  const watch = watching(t, proxy.url, [bullmq]);
  await watch.poll();
  assert.equal(watch.value('taskwarden.redis.poll.interval'), 1);
  proxy.slow(250);
  await watch.poll();
  assert.equal(watch.status(), 'ok');
  assert.ok(watch.value('taskwarden.redis.poll.interval')! >= 2.5);
  proxy.slow(0);
  for (let i = 0; i < 20; i++) await watch.poll();
  assert.equal(watch.value('taskwarden.redis.poll.interval'), 1);
  proxy.slow(Number.POSITIVE_INFINITY);
  const pause = await watch.poll();
  assert.equal(watch.status(), 'timeout');
  assert.ok(pause >= 750, 'it was given up after 5 s, and gets its pause all the same');
  proxy.slow(0);
  await watch.poll();
  assert.equal(watch.status(), 'ok');
});

test('a poll whose last answer outlasts its lease is let go, and said to be late', async (t) => {
  let nowMs = 0;
  const watch = watching(t, server.url, [bullmq], { now: () => nowMs });
  await watch.poll();
  assert.equal(watch.status('mail'), 'ok');
  watch.onSend = ([, key]) => {
    if (String(key).startsWith('bull:')) nowMs += 100_000;
  };
  await watch.poll();
  assert.equal(watch.status(), 'timeout');
  assert.equal(watch.status('mail'), undefined, 'another may tell of it by now');
  assert.equal(watch.value('queue.depth', READY), undefined);
  delete watch.onSend;
  await watch.poll();
  assert.equal(watch.status(), 'slow', 'the interval is that of a slow Redis by now, and so is the lease');
  assert.equal(watch.value('queue.depth', READY), 1);
});

test('what has keys of another type is told, and the rest of the figures are there', async (t) => {
  await redis.rpush('bull:mail:delayed', 'no sorted set');
  const watch = watching(t, server.url, [bullmq]);
  await watch.poll(4);
  assert.equal(watch.value('queue.depth', READY), 1);
  assert.equal(watch.value('queue.depth', { ...READY, 'queue.state': 'scheduled' }), undefined);
  for (let i = 0; i < 8; i++) {
    await watch.poll();
    assert.equal(watch.status('mail'), 'wrong_type', 'whatever this poll has asked for');
  }
  assert.equal(watch.status(), 'ok');
  await redis.del('bull:mail:delayed');
  await watch.poll(12);
  assert.equal(watch.status('mail'), 'ok');
  assert.equal(watch.value('queue.depth', { ...READY, 'queue.state': 'scheduled' }), 0);
});

test('wrong passwords and missing rights', async (t) => {
  await redis.config('SET', 'requirepass', 's3cret');
  t.after(() => redis.config('SET', 'requirepass', ''));
  const at = (user: string) => `redis://${user}127.0.0.1:${server.port}`;
  for (const user of ['', ':wrong@', 'nobody:wrong@']) {
    const watch = watching(t, at(user), [bullmq]);
    await watch.poll();
    assert.equal(watch.status(), 'noauth', user);
    assert.deepEqual(watch.errors, []);
  }
  // The least that a watcher needs, without the list of connections.
  await redis.call(
    ...[
      'ACL',
      'SETUSER',
      'watch',
      'on',
      '>p@ss',
      'resetkeys',
      '%R~bull:*',
      '~taskwarden:*',
      '-@all',
      '+@read',
    ],
    ...['+time', '+info', '+set', '+incr', '+pexpire'],
  );
  const watch = watching(t, at('watch:p%40ss@'), [bullmq]);
  await watch.poll(4);
  assert.equal(watch.status(), 'ok');
  assert.equal(watch.status('mail'), 'ok');
  assert.equal(watch.value('queue.depth', READY), 1);
  assert.equal(watch.value('queue.workers'), undefined);
  await watch.watcher.stop();

  await addReader(redis, '%R~bull:*');
  const many = watching(t, at('reader:x@'), [bullmq], { leaderless: false });
  await many.poll();
  assert.equal(many.status(), 'no_lease');
  assert.equal(many.value('queue.depth', READY), undefined);
  const alone = watching(t, at('reader:x@'), [bullmq]);
  await alone.poll();
  assert.equal(alone.status(), 'ok');
  assert.equal(alone.value('queue.depth', READY), 1);
});

test('a Redis out of memory keeps its leader; a replica is read without a lease', async (t) => {
  const watch = watching(t, server.url, [bullmq], { leaderless: false });
  await watch.poll();
  await redis.config('SET', 'maxmemory', '1');
  t.after(() => redis.config('SET', 'maxmemory', '0'));
  await watch.poll(3);
  assert.equal(watch.status(), 'ok');
  await watch.watcher.stop();
  const late = watching(t, server.url, [bullmq], { leaderless: false });
  // The lease of the one before ends in a millisecond.
  while ((await redis.exists('taskwarden:lease:{bullmq:bull}')) > 0);
  await late.poll();
  assert.equal(late.status(), 'no_lease');
  await redis.config('SET', 'maxmemory', '0');

  await redis.replicaof('127.0.0.1', 1);
  t.after(() => redis.replicaof('NO', 'ONE'));
  const replica = watching(t, server.url, [bullmq]);
  await replica.poll();
  assert.equal(replica.status(), 'ok');
  assert.equal(replica.value('queue.depth', READY), 1);
});

test('no room for one more client', async (t) => {
  // Its own connections count: BullMQ's are closed, ours is one.
  await redis.config('SET', 'maxclients', '1');
  t.after(() => redis.config('SET', 'maxclients', '10000'));
  const watch = watching(t, server.url, [bullmq]);
  await watch.poll();
  assert.equal(watch.status(), 'maxclients');
  await redis.config('SET', 'maxclients', '10000');
  await watch.poll();
  assert.equal(watch.status(), 'ok');
});

/** A server that answers every command with the same text, as far as commands can be told from their first byte. */
async function parrot(t: TestContext, answer: string): Promise<string> {
  const fake = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      const commands = chunk.toString('latin1').match(/^\*\d+\r$/gm)?.length ?? 0;
      socket.write(answer.repeat(commands));
    });
  }).listen(0, '127.0.0.1');
  await once(fake, 'listening');
  t.after(() => fake.close());
  return `redis://127.0.0.1:${(fake.address() as { port: number }).port}`;
}

for (const [answer, outcome] of [
  ['-LOADING Redis is loading the dataset in memory\r\n', 'loading'],
  ['-MOVED 1 127.0.0.1:1\r\n', 'cluster'],
  ['-CLUSTERDOWN The cluster is down\r\n', 'cluster'],
  ['-MASTERDOWN Link with MASTER is down\r\n', 'unreachable'],
  ['-ERR something new\r\n', 'error'],
] as const) {
  test(`${answer.slice(1, 20)}…: ${outcome}`, async (t) => {
    const watch = watching(t, await parrot(t, answer), [bullmq]);
    await watch.poll();
    assert.equal(watch.status(), outcome);
  });
}

test('answers of any other shape make no figure and no fault', async (t) => {
  const systems: QueueSystem[] = [bullmq, bull, beeQueue, resque];
  for (const answer of [
    '$-1\r\n',
    ':7\r\n',
    '$3\r\nabc\r\n',
    '*0\r\n',
    '*2\r\n$1\r\n0\r\n*1\r\n$13\r\nbull:queue:id\r\n',
    '+OK\r\n',
  ]) {
    const watch = watching(t, await parrot(t, answer), systems);
    for (const system of systems) watch.watcher.scope(system, system.prefix).add('queue', true);
    await watch.poll(5);
    assert.deepEqual(watch.errors, [], JSON.stringify(answer));
  }
});

test('jobs from a producer whose clock is ahead are 0 s old', async (t) => {
  const queue = new Queue('skewed', { connection: { host: '127.0.0.1', port: server.port } });
  t.after(() => queue.close());
  await queue.add('x', {}, { timestamp: Date.now() + 3_600_000 });
  const watch = watching(t, server.url, [bullmq]);
  await watch.poll();
  assert.equal(watch.value('queue.ready.oldest', { 'messaging.destination.name': 'skewed' }), 0);
});

test('addresses that cannot be read are refused without a word of the password', () => {
  for (const [url, why] of [
    ['localhost:6379', 'without scheme'],
    ['http://:s3cret@host', '"http"'],
    ['redis://:s3cret@', 'a host is missing'],
    ['redis://:s3cret@host:99999', 'port 99999'],
    ['redis://:s3cret@host/mail', 'must be a number'],
    ['redis-sentinel://:s3cret@host', '?master=NAME'],
    ['redis://:s3cret@host?sentinel=1', 'unknown parameter "sentinel"'],
  ] as const) {
    assert.throws(
      () => parseTarget(url),
      ({ code, message }: { code: string; message: string }) =>
        code === 'TASKWARDEN_CONFIG' && message.includes(why) && !message.includes('s3cret'),
      url,
    );
  }
  assert.deepEqual(parseTarget('redis-sentinel://u%3A:p%40x@a:1,[::1]/2?master=m', 'replica'), {
    mode: 'sentinel',
    nodes: [
      { host: 'a', port: 1 },
      { host: '::1', port: 26379 },
    ],
    master: 'm',
    db: 2,
    username: 'u:',
    password: 'p@x',
    readFrom: 'replica',
  });
});
