import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { bullmq } from '../../src/queues/bullmq.ts';
import { Pace } from '../../src/queues/pace.ts';
import { startRedis } from '../helpers/redis.ts';
import { watching } from './watching.ts';

const info = (seconds: number) => `# CPU\r\nused_cpu_sys:${seconds / 2}\r\nused_cpu_user:${seconds / 2}\r\n`;

test('a busy Redis is asked less often, and as often as before when it is idle again', () => {
  const pace = new Pace(5000);
  pace.load(info(100), 0);
  pace.answered(1);
  assert.equal(pace.intervalMs, 5000, 'one look tells no load');
  pace.load(info(109), 10_000);
  pace.answered(1);
  assert.equal(pace.intervalMs, 15_000);
  pace.load(info(110), 20_000);
  for (let i = 0; i < 8; i++) pace.answered(1);
  assert.equal(pace.intervalMs, 5000);
});

test('a Redis that was started again, or tells no CPU time, has no load', () => {
  const pace = new Pace(5000);
  for (const [text, atMs] of [
    [info(100), 0],
    [info(1), 10_000],
    ['', 20_000],
    ['used_cpu_sys:1\r\n', 30_000],
  ] as const) {
    pace.load(text, atMs);
    pace.answered(1);
    assert.equal(pace.intervalMs, 5000);
  }
});

test('the interval is ten times the latency and twice the time of a poll, a minute at most but for that', () => {
  const pace = new Pace(1000);
  pace.answered(300);
  assert.equal(pace.intervalMs, 3000);
  pace.answered(30_000);
  assert.equal(pace.intervalMs, 60_000);
  assert.equal(pace.isSlow, false);
  pace.took(90_000);
  assert.equal(pace.intervalMs, 180_000);
  assert.equal(pace.isSlow, true);
});

test('pauses double while polls fail, up to a minute, and differ from agent to agent', () => {
  const paces = Array.from({ length: 50 }, () => new Pace(1000));
  for (const base of [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
    for (const pace of paces) pace.failed();
    const pauses = paces.map((pace) => pace.nextMs());
    assert.ok(pauses.every((ms) => ms >= base * 0.75 && ms <= base * 1.25));
    assert.ok(new Set(pauses).size > 40);
  }
  paces[0]!.took(1);
  assert.equal(paces[0]!.nextMs(), 1000);
});

test('the load is that of the real Redis', async (t) => {
  const server = await startRedis();
  const redis = new Redis(server.url);
  t.after(async () => {
    redis.disconnect();
    await server.stop();
  });
  let nowMs = 0;
  const watch = watching(t, server.url, [bullmq], { now: () => nowMs });
  await watch.poll();
  // So much of CPU time that it fills more than three quarters of the four milliseconds that the watcher thinks have passed.
  await redis.eval('local x = 0 for i = 1, 3000000 do x = x + i end return x', 0);
  nowMs += 4;
  await watch.poll(5);
  assert.equal(watch.value('taskwarden.redis.poll.interval'), 3);
});
