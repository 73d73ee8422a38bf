import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { lastPoints, linesOf, runFixture } from '../fixtures/bullmq/run.ts';
import { type CountingServers, startCountingServers } from '../helpers/counting-servers.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';

let redis: RedisServer;
let sink: OtlpSink;
let servers: CountingServers;
let port: number;
let redisPort: number;

before(async () => {
  servers = startCountingServers();
  [redis, sink, port] = await Promise.all([startRedis(), startSink(), servers.open('http')]);
  const ended = await runFixture('dependencies.ts', sink, { redis, env: { SERVER: String(port) } });
  assert.equal(ended.code, 0, ended.stderr);
  assert.equal(ended.stderr, '');
  redisPort = linesOf<{ redis: number }>(ended)[0]!.redis;
});
after(async () => {
  await Promise.all([redis.stop(), sink.down(), servers.stop()]);
});

/** The values of a metric by one of its attributes. */
function values(name: string, by: string, attributes: Record<string, string>): Record<string, unknown> {
  return Object.fromEntries(
    lastPoints(sink, name, attributes).map((point) => [point.attributes[by], point.value]),
  );
}

test("a task's requests to a server by how they ended, their time and bytes", async () => {
  const server = { 'task.name': 'failing', 'server.address': '127.0.0.1', 'server.port': String(port) };
  assert.deepEqual(values('task.dependency.requests', 'task.dependency.outcome', server), {
    success: 1,
    server_error: 2,
    timeout: 1,
    error: 0,
  });
  const [time] = lastPoints(sink, 'task.dependency.time', server);
  assert.ok(Number(time!.value) >= 0.02);
  const counts = await servers.counts(port);
  assert.deepEqual(values('task.dependency.io', 'network.io.direction', server), {
    transmit: counts.received,
    receive: counts.sent,
  });
});

test('the span tells how many requests have failed', () => {
  const failures = Object.fromEntries(
    sink.spans
      .filter(({ name }) => name === 'process dependencies')
      .map(({ attributes }) => [attributes['task.name'], attributes['task.network.failures']]),
  );
  assert.deepEqual(failures, { failing: 3, cached: undefined, broken: undefined });
});

test('what goes over connections of ioredis is shared, and no task has it', () => {
  const server = { 'server.port': String(redisPort) };
  const { transmit, receive } = values('task.network.shared.io', 'network.io.direction', server);
  assert.ok(Number(transmit) > 5000 && Number(receive) > 0);
  assert.deepEqual(lastPoints(sink, 'task.dependency.io', server), []);
  const io = values('task.network.io', 'network.io.direction', { 'task.name': 'cached' });
  assert.deepEqual(io, { transmit: 0, receive: 0 });
});

test('circuit breakers that open within a handler, from opossum by import and by require', () => {
  for (const name of ['imported', 'required']) {
    const breaker = { 'circuit_breaker.name': name, 'circuit_breaker.group': 'down' };
    assert.deepEqual(values('task.circuit_breaker.state', 'circuit_breaker.state', breaker), {
      closed: 0,
      open: 1,
      half_open: 0,
    });
    assert.deepEqual(values('task.circuit_breaker.calls', 'circuit_breaker.outcome', breaker), {
      success: 0,
      failure: 1,
      timeout: 0,
      rejected: 2,
      overloaded: 0,
    });
    assert.equal(lastPoints(sink, 'task.circuit_breaker.openings', breaker)[0]!.value, 1);
  }
});
