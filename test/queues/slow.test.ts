import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { createAsynq } from '../../src/queues/asynq/asynq.ts';
import { Registry } from '../../src/store/registry.ts';
import { startRedis } from '../helpers/redis.ts';
import { watching } from './watching.ts';

const QUEUES = 2500;
const REPLY_MS = 2000;
const LEASE = 'taskwarden:lease:{asynq:asynq}';

test('thousands of queues at 2 s a reply: polls of more than a minute keep the lease, and the status says that figures are old', async (t) => {
  const server = await startRedis();
  const redis = new Redis(server.url);
  t.after(async () => {
    redis.disconnect();
    await server.stop();
  });
  const names = Array.from({ length: QUEUES }, (_, i) => `q${i}`);
  await redis.sadd('asynq:queues', ...names);
  for (const name of names) redis.lpush(`asynq:{${name}}:pending`, 'a');

  let nowMs = 0;
  let replyMs = 0;
  /** When each renewal was sent, and until when it holds. */
  const renewals: { sentMs: number; untilMs: number }[] = [];
  const watch = watching(t, server.url, [createAsynq()], {
    registry: new Registry(Date.now(), { maxSeriesPerMetric: 50_000 }),
    now: () => nowMs,
  });
  watch.onTrip = () => {
    nowMs += replyMs;
  };
  watch.onSend = ([name, key, ttl]) => {
    if (key !== LEASE) return;
    if (name === 'PEXPIRE') renewals.push({ sentMs: nowMs, untilMs: nowMs + Number(ttl) });
  };
  await watch.poll(3);
  assert.equal(watch.status(), 'ok');
  const ready = { 'messaging.destination.name': `q${QUEUES - 1}`, 'queue.state': 'ready' };

  replyMs = REPLY_MS;
  for (let i = 0; i < 3; i++) {
    const began = nowMs;
    const wait = await watch.poll();
    const took = nowMs - began;
    assert.equal(watch.status(), 'slow');
    assert.ok(took > 60_000, `${took} ms`);
    // Redis has as much time for others as a poll takes.
    assert.ok(wait >= took, `${took} ms, and the next poll after ${wait} ms`);
    assert.equal(watch.value('queue.depth', ready), 1);
    assert.equal(watch.value('taskwarden.redis.leader'), 1);
    nowMs += wait;
    // The lease for an interval of 1 s has ended when the first answer comes after 2 s.
    if (i === 0) renewals.splice(0);
  }
  assert.ok(renewals.length >= 2);
  for (const [at, { sentMs }] of renewals.slice(1).entries())
    assert.ok(sentMs <= renewals[at]!.untilMs, `renewed at ${sentMs}, it ended at ${renewals[at]!.untilMs}`);

  replyMs = 0;
  const slowest = watch.value('taskwarden.redis.poll.interval')!;
  for (let i = 0; i < 2; i++) await watch.poll();
  assert.ok(watch.value('taskwarden.redis.poll.interval')! < slowest);
  assert.deepEqual(watch.errors, []);
});
