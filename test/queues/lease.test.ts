import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { bull } from '../../src/queues/bull.ts';
import { bullmq } from '../../src/queues/bullmq.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';
import { type Watching, watching } from './watching.ts';

const LEASE = 'taskwarden:lease:{bullmq:bull}';
const READY = { 'messaging.destination.name': 'mail', 'queue.state': 'ready' };
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
// A lease that the test before has given back lasts for another millisecond.
beforeEach(async () => {
  while ((await redis.exists(LEASE, 'taskwarden:lease:{bull:bull}')) > 0);
});

/** Scopes whose lease a watcher has renewed or taken in its last poll. */
function leases({ commands }: Watching): string[] {
  return commands
    .at(-1)!
    .filter(([name]) => name === 'SET' || name === 'PEXPIRE')
    .flatMap(([, key]) => /^taskwarden:lease:\{(.*)\}$/.exec(String(key))?.[1] ?? []);
}

test('one agent polls, the others look twice as often whether it still does', async (t) => {
  const [first, second, third] = [1, 2, 3].map(() => watching(t, server.url, [bullmq]));
  const pause = await first!.poll();
  assert.ok(pause > 900 && pause <= 1000, String(pause));
  for (const other of [second!, third!]) {
    const look = await other.poll();
    assert.ok(look > 400 && look <= 500, String(look));
    assert.equal(other.status(), 'standby');
    assert.equal(other.value('taskwarden.redis.leader'), 0);
    assert.equal(other.value('queue.depth', READY), undefined);
    assert.equal(other.status('mail'), undefined);
  }
  assert.equal(first!.value('taskwarden.redis.leader'), 1);
  // What the key has left, and a look, are two intervals together.
  const ttl = await redis.pttl(LEASE);
  assert.ok(ttl > 0 && ttl <= 1500, String(ttl));
  const fence = await redis.pttl('taskwarden:fence:{bullmq:bull}');
  assert.ok(fence > 6 * 86_400_000 && fence <= 7 * 86_400_000, String(fence));
  const asked = second!.commands.flat().map(([name]) => name);
  assert.deepEqual([...new Set(asked)].sort(), ['GET', 'INFO', 'TIME'], 'a standby writes nothing');
});

test('a leader that ends hands over at once; its term number is less than that of the next', async (t) => {
  const [first, second] = [1, 2].map(() => watching(t, server.url, [bullmq]));
  await first!.poll();
  const term = Number((await redis.get(LEASE))!.split(' ')[0]);
  await first!.watcher.stop();
  while ((await redis.exists(LEASE)) > 0);
  await second!.poll();
  assert.equal(second!.value('queue.depth', READY), 1);
  assert.equal(Number((await redis.get(LEASE))!.split(' ')[0]), term + 1);
});

test('a leader whose lease has ended while it was away takes the word of the one that holds it', async (t) => {
  const [first, second] = [1, 2].map(() => watching(t, server.url, [bullmq]));
  await first!.poll();
  await redis.del(LEASE);
  await second!.poll();
  assert.equal(second!.status(), 'ok');
  await first!.poll();
  assert.equal(first!.status(), 'standby');
  assert.equal(first!.value('queue.depth', READY), undefined, 'its figures end');
  await second!.poll();
  assert.equal(second!.status(), 'ok');
  await first!.watcher.stop();
  assert.notEqual(await redis.get(LEASE), null, "it does not give back what is another's");
});

test('who leads one library looks after another between the polls of its own', async (t) => {
  const [first, second] = [watching(t, server.url, [bullmq]), watching(t, server.url, [bullmq, bull])];
  await first!.poll();
  const look = await second!.poll();
  assert.ok(look > 400 && look <= 500, String(look));
  assert.deepEqual(leases(second!), ['bull:bull']);
  await second!.poll();
  assert.ok(!second!.commands.at(-1)!.some(([name]) => name === 'SCAN'), 'a look, no poll');
});

test('what was read is not told where another has begun to lead meanwhile', async (t) => {
  const [first, second] = [1, 2].map(() => watching(t, server.url, [bullmq]));
  await first!.poll();
  assert.equal(first!.value('queue.depth', READY), 1);
  await redis.del(LEASE);
  await second!.poll();
  // The first still believes in its lease, and reads in the trip that tells it better.
  await first!.poll();
  assert.ok(first!.commands.at(-1)!.length > 5);
  assert.equal(first!.status(), 'standby');
  assert.equal(first!.value('queue.depth', READY), undefined);
  assert.equal(first!.status('mail'), undefined);
  assert.equal(second!.value('queue.depth', READY), 1);
});

test('a leader polls in one round trip what holds no news', async (t) => {
  const watch = watching(t, server.url, [bull]);
  let trips = 0;
  watch.onTrip = () => void trips++;
  await watch.poll();
  const first = trips;
  await watch.poll();
  assert.ok(first > 2);
  assert.equal(trips - first, 1);
});

test('a clock of Redis that leaps is believed at once', async (t) => {
  let clock = 0;
  const watch = watching(t, server.url, [bullmq], { now: () => clock });
  await watch.poll(2);
  const age = watch.value('queue.ready.oldest')!;
  // Nothing but the watcher's own clock has gone on by an hour, as it seems to it.
  clock += 3_600_000;
  await watch.poll();
  assert.ok(watch.value('queue.ready.oldest')! < age + 60);
});

test('the lease is all that is written', async (t) => {
  const before = new Set(await redis.keys('*'));
  const watch = watching(t, server.url, [bullmq]);
  await watch.poll(10);
  const written = (await redis.keys('*')).filter((key) => !before.has(key) && key !== LEASE);
  assert.deepEqual(written, []);
  const reads =
    /^(TIME|INFO|GET|LLEN|LINDEX|LRANGE|ZCARD|ZRANGE|ZRANGEBYSCORE|HGET|HMGET|EXISTS|SCAN|CLIENT)$/;
  for (const [name, key] of watch.commands.flat())
    assert.ok(reads.test(name) || String(key).startsWith('taskwarden:'), `${name} ${key}`);
});
