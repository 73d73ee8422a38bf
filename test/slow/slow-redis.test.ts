import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { parseTarget } from '../../src/queues/target.ts';
import { QueueWatcher } from '../../src/queues/watcher.ts';
import { Registry } from '../../src/store/registry.ts';
import { startRedis } from '../helpers/redis.ts';
import { beat } from '../queues/asynq/fake-server.ts';
import { startProxy } from '../queues/proxy.ts';
import { publishedIn } from '../queues/watching.ts';

const READY = { 'messaging.destination.name': 'mail', 'queue.state': 'ready' };

test('a Redis that takes 2 s for each reply: the figures go on to come, one poll at a time, on one connection', async (t) => {
  const server = await startRedis();
  const redis = new Redis(server.url);
  const proxy = await startProxy(server.port);
  const polls = new EventTarget();
  const registry = new Registry(Date.now(), { maxSeriesPerMetric: 2000 });
  const errors: unknown[] = [];
  let polled = 0;
  const watcher = new QueueWatcher({
    registry,
    intervalMs: 1000,
    leaderless: true,
    searchSteps: 20,
    onError: (error) => void errors.push(error),
    onPolled: () => {
      polled++;
      polls.dispatchEvent(new Event('poll'));
    },
  });
  t.after(async () => {
    proxy.slow(0);
    await watcher.stop();
    await proxy.close();
    redis.disconnect();
    await server.stop();
  });
  const queue = new Queue('mail', { connection: { host: '127.0.0.1', port: server.port } });
  await queue.add('x', {});
  await queue.close();
  // More keys than are gone through in a poll.
  await redis.eval("for i = 1, 100000 do redis.call('SET', 'k' .. i, 1) end", 0);
  const alive = () => {
    const now = Math.floor(Date.now() / 1000);
    return beat(redis, 'a', { now, tasks: { t1: { type: 'report', queue: 'q' } } });
  };
  await alive();
  const beats = setInterval(() => void alive(), 2000);
  t.after(() => clearInterval(beats));

  const { value, status } = publishedIn(registry);
  const poll = () => once(polls, 'poll');
  /** Each poll asks Redis for the time, once. */
  const begun = async () => Number(/cmdstat_time:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1]);
  const whole = () => {
    assert.equal(status(), 'ok');
    assert.equal(status('mail'), 'ok');
    assert.equal(value('queue.depth', READY), 1);
    assert.equal(value('task.active', { 'task.name': 'report' }), 1);
    assert.equal(value('taskwarden.redis.leader'), 1);
  };
  const commands = () => value('taskwarden.redis.commands') ?? 0;

  const target = parseTarget(proxy.url);
  await watcher.add(target, { system: 'bullmq', queues: ['mail'] });
  await watcher.add(target, { system: 'asynq', queues: [] });
  await poll();
  const before = commands();
  await poll();
  whole();
  const perPoll = commands() - before;

  proxy.slow(2000);
  await poll();
  const slowFrom = { polled, commands: commands() };
  await poll();
  whole();
  const duration = value('taskwarden.redis.poll.duration')!;
  assert.ok(duration >= 8, `a poll has rounds, each of which waits: ${duration} s`);
  assert.ok(value('taskwarden.redis.poll.interval')! >= 2 * duration * 0.999);
  const asked = commands() - slowFrom.commands;
  assert.ok(asked <= perPoll, `${asked} commands in a poll, ${perPoll} before`);
  assert.equal(polled, slowFrom.polled + 1);
  assert.equal(await begun(), polled, 'the next poll waits until it is its turn');

  proxy.slow(0);
  const slowest = value('taskwarden.redis.poll.interval')!;
  await poll();
  whole();
  await poll();
  whole();
  assert.ok(value('taskwarden.redis.poll.interval')! < slowest);
  assert.equal(proxy.accepted(), 1);
  assert.deepEqual(errors, []);
});
