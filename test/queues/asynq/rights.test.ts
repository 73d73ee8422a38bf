import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { Redis } from 'ioredis';
import { createAsynq } from '../../../src/queues/asynq/asynq.ts';
import type { Poll } from '../../../src/queues/system.ts';
import type { Pause } from '../../../src/queues/writes.ts';
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

/** What docs/asynq.md gives: to watch, to cancel, to pause. */
function rights(): string[][] {
  const page = readFileSync(resolve(import.meta.dirname, '../../../docs/asynq.md'), 'utf8');
  const lines = [...page.matchAll(/ACL (SETUSER taskwarden .*)$/gm)];
  return lines.map(([, line]) => line!.replace('PASSWORD', 'secret').split(' '));
}

test('the rights that docs/asynq.md gives are enough, and nothing is written but the lease', async (t) => {
  const [rule] = rights();
  await redis.call('ACL', ...rule!);
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

test('actions need the rights that docs/asynq.md gives them, and no others', async (t) => {
  const [, publish, pause] = rights();
  assert.ok(pause);
  await redis.hset('asynq:{q}:t:t', 'state', 'active');
  const listener = redis.duplicate();
  t.after(() => listener.disconnect());
  await listener.subscribe('asynq:cancel');
  const url = server.url.replace('redis://', 'redis://taskwarden:secret@');
  const { watcher, poll } = watching(t, url, [createAsynq()], { leaderless: false });
  // The one of the test before has to be over.
  while ((await redis.exists('taskwarden:lease:{asynq:asynq}')) > 0);
  await poll();
  const { writes } = createAsynq();
  const queue = { prefix: 'asynq', name: 'q' };
  const task = { prefix: 'asynq', queue: 'q', id: 't', startedMs: 1 };
  const write = async (deed: (isSingle: boolean) => Poll<Pause>): Promise<Pause> => {
    const written = await watcher.write('asynq', 'asynq', deed);
    if (typeof written === 'string') assert.fail(written);
    return written;
  };
  const cancel = () => write((isSingle) => writes.cancel(task, isSingle));
  assert.match((await cancel()).message!, /NOPERM/);
  assert.match((await write(() => writes.pause(queue, Date.now(), 9000))).message!, /NOPERM/);
  await redis.call('ACL', ...publish!);
  while ((await redis.keys('taskwarden:cancel:*')).length > 0);
  assert.equal((await cancel()).outcome, 'done');
  await redis.call('ACL', ...pause);
  const { mark = '' } = await write(() => writes.pause(queue, Date.now(), 9000));
  assert.equal((await write(() => writes.keep(queue, mark, 9000))).outcome, 'done');
  assert.equal((await write(() => writes.resume(queue, mark))).outcome, 'done');
});
