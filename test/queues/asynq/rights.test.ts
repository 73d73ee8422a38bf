import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { Redis } from 'ioredis';
import { createAsynq } from '../../../src/queues/asynq/asynq.ts';
import { type RedisServer, startRedis } from '../../helpers/redis.ts';
import { watching } from '../watching.ts';
import { beat } from './fake-server.ts';

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

test('the rights that docs/asynq.md gives are enough, and nothing is written but the lease', async (t) => {
  const page = readFileSync(resolve(import.meta.dirname, '../../../docs/asynq.md'), 'utf8');
  const [, rule] = /ACL (SETUSER taskwarden .*)$/m.exec(page) ?? [];
  await redis.call('ACL', ...rule!.replace('PASSWORD', 'secret').split(' '));
  const now = Number((await redis.time())[0]);
  await redis.sadd('asynq:queues', 'q');
  await redis.lpush('asynq:{q}:pending', 'a');
  await redis.lpush('asynq:{q}:active', 't');
  await redis.zadd('asynq:{q}:archived', now, 'dead');
  await beat(redis, 'a', { now, tasks: { t: { type: 'x', queue: 'q' } } });
  const before = await redis.keys('*');
  const url = server.url.replace('redis://', 'redis://taskwarden:secret@');
  const watcher = watching(t, url, [createAsynq()], { leaderless: false });
  await watcher.poll(6);
  assert.equal(watcher.status(), 'ok');
  assert.equal(watcher.status('q'), 'ok');
  assert.equal(watcher.value('queue.depth', { 'queue.state': 'dead' }), 1);
  assert.equal(watcher.value('task.active'), 1);
  assert.deepEqual(watcher.errors, []);
  // ioredis tells its name and version, and does not mind if it may not.
  const denied = ((await redis.call('ACL', 'LOG')) as string[][]).map(
    (entry) => entry[entry.indexOf('object') + 1],
  );
  assert.deepEqual(
    denied.filter((object) => !object?.startsWith('client|')),
    [],
  );
  const written = (await redis.keys('*')).filter((key) => !before.includes(key));
  assert.ok(written.length > 0 && written.every((key) => key.startsWith('taskwarden:')), `${written}`);
});
