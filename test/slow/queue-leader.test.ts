import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { CLI } from '../helpers/built.ts';
import { startSink } from '../helpers/otlp-sink.ts';
import { startRedis } from '../helpers/redis.ts';

const LEASE = 'taskwarden:lease:{bullmq:bull}';
const INTERVAL_MS = 2000;
/** For a machine that is busy with other things. */
const SLACK_MS = 1000;

function watch(t: TestContext, name: string, redis: string, sink: string): ChildProcess {
  const args = ['watch', '--redis', redis, '--system', 'bullmq', '--interval', `${INTERVAL_MS / 1000}s`];
  const child = spawn(process.execPath, [CLI, ...args], {
    env: {
      ...process.env,
      OTEL_SERVICE_NAME: name,
      OTEL_EXPORTER_OTLP_ENDPOINT: sink,
      OTEL_METRIC_EXPORT_INTERVAL: '500',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

test('two watchers, the leader is killed: the other takes over within two intervals, and one alert is not made two', async (t) => {
  const server = await startRedis();
  t.after(() => server.stop());
  const sink = await startSink();
  t.after(() => sink.down());
  const redis = new Redis(server.url);
  t.after(() => redis.disconnect());
  const queue = new Queue('mail', { connection: { host: '127.0.0.1', port: server.port } });
  t.after(() => queue.close());
  await queue.add('old', {}, { timestamp: Date.now() - 300_000 });

  const children = new Map(
    ['first', 'second'].map((name) => [name, watch(t, name, server.url, sink.url)] as const),
  );
  const alertOf = (name: string) =>
    sink.logs.find(
      ({ resource, attributes }) =>
        resource['service.name'] === name && attributes['taskwarden.alert.name'] === 'QueueReadyTooOld',
    );
  const leads = (value: number) =>
    sink.metrics.find((point) => point.name === 'taskwarden.redis.leader' && point.value === value)?.resource[
      'service.name'
    ] as string | undefined;
  const leader = await sink.waitFor(() => leads(1), 20_000);
  const standby = await sink.waitFor(() => leads(0), 20_000);
  assert.notEqual(leader, standby);
  await sink.waitFor(() => alertOf(leader), 20_000);
  assert.equal(alertOf(standby), undefined, 'one alert, of the one that polls');

  const term = await redis.get(LEASE);
  const victim = children.get(leader)!;
  const killed = once(victim, 'exit');
  victim.kill('SIGKILL');
  await killed;
  const began = performance.now();
  const owner = (text: string | null): string | undefined => text?.split(' ')[1];
  for (;;) {
    const now = await redis.get(LEASE);
    if (now !== null && owner(now) !== owner(term)) break;
    assert.ok(performance.now() - began < 20_000, 'nobody has taken over');
    await delay(20);
  }
  const took = performance.now() - began;
  t.diagnostic(`taken over after ${(took / 1000).toFixed(2)} s, at an interval of ${INTERVAL_MS / 1000} s`);
  assert.ok(took <= 2 * INTERVAL_MS + SLACK_MS, `${took} ms`);
  await sink.waitFor(() => alertOf(standby), 20_000);
  children.get(standby)!.kill('SIGTERM');
  const [code] = await once(children.get(standby)!, 'exit');
  assert.equal(code, 0);
  for (let left = 1; left > 0; left = await redis.exists(LEASE));
});
