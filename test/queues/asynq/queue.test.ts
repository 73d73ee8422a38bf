import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { Redis } from 'ioredis';
import { createAsynq } from '../../../src/queues/asynq/asynq.ts';
import { pipelined } from '../../../src/queues/pipelines.ts';
import type { Command } from '../../../src/queues/system.ts';
import { type RedisServer, startRedis } from '../../helpers/redis.ts';
import { watching } from '../watching.ts';
import { converse } from './converse.ts';

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
beforeEach(() => redis.flushall());

const NOW = Date.UTC(2026, 10, 24, 12);
/** All that takes turns has been read after so many polls. */
const ALL_TURNS = 5;

function queue(name = 'q') {
  const reader = createAsynq().reader({ prefix: 'asynq', name });
  return {
    /** Values by metric and state. */
    async poll(nowMs = NOW, commands: Command[] = []): Promise<Record<string, number>> {
      const readings = await converse(redis, reader.poll(nowMs), commands);
      return Object.fromEntries(
        readings.map(({ metric, attributes, value }) => [
          [metric, ...Object.values(attributes)].join(' '),
          value,
        ]),
      );
    },
  };
}

/** Pending tasks, the oldest first; undefined stands for a task without the time. */
async function pending(since: Readonly<Record<string, number | undefined>>): Promise<void> {
  await redis.sadd('asynq:queues', 'q');
  for (const [id, ms] of Object.entries(since)) {
    await redis.lpush('asynq:{q}:pending', id);
    await redis.hset(
      `asynq:{q}:t:${id}`,
      'state',
      'pending',
      ...(ms === undefined ? [] : ['pending_since', `${ms}000000`]),
    );
  }
}

test('ten commands at most in every poll, whatever a queue has', async () => {
  const ids = Object.fromEntries(
    Array.from({ length: 30 }, (_, i) => [`t${i}`, i % 5 === 4 ? NOW - 1000 : undefined]),
  );
  await pending(ids);
  await redis.lpush('asynq:{q}:active', 'a');
  for (const part of ['scheduled', 'retry', 'archived', 'completed', 'lease'])
    await redis.zadd(`asynq:{q}:${part}`, 1, 'x');
  await redis.sadd('asynq:{q}:groups', 'g');
  for (const name of ['q', 'empty', 'none']) {
    if (name === 'empty') await redis.sadd('asynq:queues', name);
    const { poll } = queue(name);
    for (let i = 0; i < 12; i++) {
      const commands: Command[] = [];
      await poll(NOW + i, commands);
      assert.ok(commands.length <= 10, `${commands.length} in poll ${i} of ${name}`);
    }
  }
});

test('tasks that were given back have no time, and are passed over: never an age of 0', async () => {
  await pending({
    requeued1: undefined,
    requeued2: undefined,
    missing: undefined,
    known: NOW - 90_000,
    young: NOW - 1000,
  });
  await redis.del('asynq:{q}:t:missing');
  const { poll } = queue();
  const ages = [];
  for (let i = 0; i < 3; i++) ages.push((await poll())['queue.ready.oldest']);
  assert.deepEqual(ages, [undefined, 90, 90]);
});

test('where no task has the time the age is unknown', async () => {
  await pending({ a: undefined, b: undefined });
  const { poll } = queue();
  for (let i = 0; i < 3; i++) {
    const readings = await poll();
    assert.equal(readings['queue.depth ready'], 2);
    assert.ok(!('queue.ready.oldest' in readings));
  }
});

test('the time of a task is asked for once', async () => {
  await pending({ a: NOW - 5000 });
  const { poll } = queue();
  await poll();
  const commands: Command[] = [];
  assert.equal((await poll(NOW + 1000, commands))['queue.ready.oldest'], 6);
  assert.equal(commands.filter(([name]) => name === 'HGET').length, 0);
});

test('a producer whose clock is ahead makes no negative age', async () => {
  await pending({ a: NOW + 60_000 });
  assert.equal((await queue().poll())['queue.ready.oldest'], 0);
});

test('what is due and was not moved', async () => {
  await redis.zadd('asynq:{q}:scheduled', NOW / 1000 - 40, 'a');
  await redis.zadd('asynq:{q}:retry', NOW / 1000 + 40, 'b');
  const { poll } = queue();
  await poll();
  assert.equal((await poll())['queue.scheduled.overdue'], 40);
});

test('leases that lapsed are orphans, by the clock of Redis', async () => {
  await redis.lpush('asynq:{q}:active', 'a', 'b');
  await redis.zadd('asynq:{q}:lease', NOW / 1000 - 1, 'a', NOW / 1000 + 20, 'b');
  const { poll } = queue();
  assert.equal((await poll())['queue.active.orphaned'], 1);
  assert.equal((await poll(NOW + 30_000))['queue.active.orphaned'], 2);
});

/** Groups of so many tasks each. */
async function groups(sizes: readonly number[]): Promise<void> {
  const pipeline = redis.pipeline().sadd('asynq:queues', 'q');
  for (const [at, size] of sizes.entries()) {
    pipeline.sadd('asynq:{q}:groups', `g:{${at}}`);
    for (let i = 0; i < size; i++) pipeline.zadd(`asynq:{q}:g:g:{${at}}`, i, `${at}-${i}`);
  }
  await pipeline.exec();
}

test('tasks in groups are counted where there are fewer than ten, also while the queue is busy', async () => {
  await groups([3, 1, 7, 2, 5, 4, 1, 1, 6]);
  await redis.lpush('asynq:{q}:active', 'a');
  const { poll } = queue();
  const counts = new Set<number | undefined>();
  for (let i = 0; i < 20; i++) {
    // Other tasks at the tail each time: their age is asked for, and groups have what is left.
    await redis.del('asynq:{q}:pending');
    await pending({ [`x${i}`]: NOW, [`y${i}`]: NOW });
    const commands: Command[] = [];
    const readings = await poll(NOW, commands);
    counts.add(readings['queue.depth aggregating']);
    assert.ok(commands.length <= 10);
    assert.equal(readings['queue.ready.oldest'], 0);
    assert.ok(!('queue.groups.tasks' in readings));
  }
  assert.deepEqual([...counts], [undefined, 30]);
  await redis.del('asynq:{q}:groups');
  for (let i = 0; i < ALL_TURNS; i++) await poll();
  assert.equal((await poll())['queue.depth aggregating'], 0);
});

test('where there are more groups their tasks are estimated by a sample, and that has another name', async () => {
  const sizes = Array.from({ length: 400 }, (_, i) => 10 + (i % 11));
  await groups(sizes);
  const { poll } = queue();
  let last: Record<string, number> = {};
  for (let i = 0; i < 60; i++) {
    const commands: Command[] = [];
    last = await poll(NOW, commands);
    assert.ok(commands.length <= 10 && !('queue.depth aggregating' in last));
  }
  assert.equal(last['queue.groups'], 400);
  const tasks = sizes.reduce((sum, size) => sum + size, 0);
  // 50 groups of 15 ± 3.2: the mean of them is within 0.45 in two of three cases, within 3 always.
  assert.ok(Math.abs(last['queue.groups.tasks']! - tasks) < 400 * 3, `${last['queue.groups.tasks']}`);
});

/** A TaskMessage: its type and its error. */
function failed(type: string, error: string): Buffer {
  const field = (id: number, value: string) => [(id << 3) | 2, value.length, ...Buffer.from(value)];
  return Buffer.from([...field(1, type), ...field(7, error)]);
}

async function dead(id: string, died: number, message: Buffer): Promise<void> {
  await redis.sadd('asynq:queues', 'q');
  await redis.zadd('asynq:{q}:archived', died, id);
  await redis.hset(`asynq:{q}:t:${id}`, 'msg', message);
}

test('the newest failures are sampled with the commands that polls have left, each message once', async () => {
  for (let i = 0; i < 30; i++)
    await dead(`t${i}`, i, failed(i % 4 === 0 ? 'pdf' : 'mail', i % 4 === 0 ? 'no font' : `no user ${i}`));
  await redis.hset('asynq:{q}:t:t29', 'msg', Buffer.alloc(70_000));
  await groups([3, 1]);
  await redis.lpush('asynq:{q}:active', 'a');
  const { poll } = queue();
  const sent: Command[][] = [];
  let last: Record<string, number> = {};
  const polls = async (n: number) => {
    for (let i = 0; i < n; i++) {
      const commands: Command[] = [];
      last = await poll(NOW, commands);
      sent.push(commands);
    }
  };
  await polls(40);
  assert.ok(sent.every((commands) => commands.length <= 10));
  // Of t10 to t29; the last is too large to be read.
  assert.deepEqual(
    [last['task.failures.sampled dead pdf'], last['task.failures.sampled dead mail']],
    [5, 14],
  );
  assert.equal(last['queue.failures.errors dead'], 2);
  assert.equal(last['queue.depth aggregating'], 4, 'groups have their turn, too');

  await dead('t30', 30, failed('pdf', 'no font'));
  sent.splice(0);
  await polls(20);
  assert.deepEqual(
    [last['task.failures.sampled dead pdf'], last['task.failures.sampled dead mail']],
    [6, 13],
  );
  const read = sent.flat().filter(([name, , field]) => name === 'HGET' && field === 'msg');
  assert.deepEqual(
    read.map(([, key]) => key),
    ['asynq:{q}:t:t30'],
  );

  await redis.del('asynq:{q}:archived');
  await polls(ALL_TURNS);
  assert.ok(!('queue.failures.errors dead' in last));
});

test('a queue in which nothing is new costs one round trip', async () => {
  await pending({ a: NOW - 5000, b: NOW });
  await redis.lpush('asynq:{q}:active', 'c');
  const reader = createAsynq().reader({ prefix: 'asynq', name: 'q' });
  await converse(redis, reader.poll(NOW));
  const rounds: Command[][] = [];
  const poll = reader.poll(NOW + 1000);
  for (let step = poll.next(); step.done !== true; ) {
    rounds.push([...step.value]);
    step = poll.next(await pipelined(redis, step.value));
  }
  assert.equal(rounds.length, 1);
});

test('servers are upgraded from asynq 0.18 while they are watched: leases and totals from then on', async () => {
  await redis.sadd('asynq:queues', 'q');
  await redis.set('asynq:{q}:processed:2026-11-24', 5);
  await redis.lpush('asynq:{q}:active', 'a');
  const { poll } = queue();
  const old = await poll();
  assert.equal(old['queue.tasks.processed'], 5);
  assert.ok(!('queue.active.orphaned' in old));
  await redis.set('asynq:{q}:processed', 1);
  await redis.zadd('asynq:{q}:lease', NOW / 1000 - 1, 'a');
  await poll();
  const now = await poll();
  assert.equal(now['queue.tasks.processed'], 1);
  assert.equal(now['queue.active.orphaned'], 1);
});

test('keys of another type make their figures unknown, and no others', async (t) => {
  for (const part of [
    'pending',
    'active',
    'scheduled',
    'retry',
    'archived',
    'completed',
    'lease',
    'groups',
  ]) {
    await redis.flushall();
    await redis.sadd('asynq:queues', 'q');
    await redis.set('asynq:{q}:processed', 7);
    await redis.hset(`asynq:{q}:${part}`, 'wrong', 'type');
    const watcher = watching(t, server.url, [createAsynq()]);
    await watcher.poll(ALL_TURNS);
    assert.equal(watcher.value('queue.tasks.processed'), 7, part);
    assert.deepEqual(watcher.errors, []);
  }
});

test('a queue that is deleted while it is watched is gone, and comes back', async (t) => {
  await pending({ a: NOW - 1000 });
  const watcher = watching(t, server.url, [createAsynq()]);
  await watcher.poll();
  assert.equal(watcher.status('q'), 'ok');
  await redis.flushall();
  await watcher.poll();
  assert.equal(watcher.status('q'), 'gone');
  assert.equal(watcher.value('queue.ready.oldest'), undefined);
  await pending({ b: Date.now() - 1000 });
  await watcher.poll();
  assert.equal(watcher.status('q'), 'ok');
  assert.ok(watcher.value('queue.ready.oldest')! >= 1);
});

test('names with braces, colons, spaces, newlines and letters of any script', async (t) => {
  const names = ['{', '}', 'a:{b}:c', 'почта', '队列', '😀 x', 'line\nbreak', 'asynq', '*?[x]', 'a"b\\'];
  await redis.sadd('asynq:queues', ...names);
  for (const [at, name] of names.entries())
    for (let i = 0; i <= at; i++) await redis.lpush(`asynq:{${name}}:pending`, `t${i}`);
  const watcher = watching(t, server.url, [createAsynq()]);
  await watcher.poll(2);
  for (const [at, name] of names.entries()) {
    const of = { 'messaging.destination.name': name, 'queue.state': 'ready' };
    assert.equal(watcher.value('queue.depth', of), at + 1, name);
  }
});

test('counters that are no numbers are unknown', async () => {
  await redis.mset('asynq:{q}:processed', 'many', 'asynq:{q}:failed', '3');
  await redis.lpush('asynq:{q}:pending', 'a');
  const readings = await queue().poll();
  assert.ok(!('queue.tasks.processed' in readings));
  assert.equal(readings['queue.tasks.failed'], 3);
});
