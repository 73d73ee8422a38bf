import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { lastPoints, runFixture } from '../fixtures/bullmq/run.ts';
import { type CountingServer, startCountingServer } from '../fixtures/bullmq/server.ts';
import { freePort } from '../helpers/free-port.ts';
import type { ReceivedSpan } from '../helpers/otlp-items.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';

/** Jobs with a server of their own, and how many requests each makes. */
const EXACT = {
  'fetch-get': 3,
  'fetch-post': 1,
  'fetch-parallel': 5,
  'fetch-redirect': 2,
  'fetch-aborted': 1,
  'http-get': 1,
  'http-keep-alive': 3,
  'http-stream': 1,
  'http-aborted': 1,
  https: 1,
  timer: 1,
};

let redis: RedisServer;
let sink: OtlpSink;
const servers = new Map<string, CountingServer>();

before(async () => {
  [redis, sink] = await Promise.all([startRedis(), startSink()]);
  for (const name of [...Object.keys(EXACT), 'http-unfinished', 'shared', 'early', 'none']) {
    servers.set(name, await startCountingServer(name === 'https'));
  }
  const refused = `http://127.0.0.1:${await freePort()}`;
  const urls = Object.fromEntries([...servers].map(([name, { url }]) => [name, url]));
  const ended = await runFixture('requests.ts', sink, {
    redis,
    env: { SERVERS: JSON.stringify({ ...urls, 'fetch-refused': refused, 'http-refused': refused }) },
  });
  assert.equal(ended.code, 0, ended.stderr);
  assert.equal(ended.stderr, '');
});
after(async () => {
  await Promise.all([redis.stop(), sink.down(), ...[...servers.values()].map((server) => server.close())]);
});

/** Requests, bytes sent and received, by the span of the one run of a task. */
function usage(task: string): { requests: unknown; sent: unknown; received: unknown } {
  const spans = sink.spans.filter(({ attributes }) => attributes['task.name'] === task);
  assert.equal(spans.length, 1, task);
  const { attributes } = spans[0] as ReceivedSpan;
  return {
    requests: attributes['task.network.requests'],
    sent: attributes['task.network.io.transmit'],
    received: attributes['task.network.io.receive'],
  };
}

for (const [task, requests] of Object.entries(EXACT)) {
  test(`${task}: requests and bytes are what the server counts`, () => {
    const server = servers.get(task)!;
    assert.deepEqual(usage(task), { requests, sent: server.received(), received: server.sent() });
    assert.ok(server.received() > 0);
    const [counter] = lastPoints(sink, 'task.network.requests', { 'task.name': task });
    assert.equal(counter!.value, requests);
    const io = Object.fromEntries(
      lastPoints(sink, 'task.network.io', { 'task.name': task }).map(({ attributes, value }) => [
        attributes['network.io.direction'],
        value,
      ]),
    );
    assert.deepEqual(io, { transmit: server.received(), receive: server.sent() });
  });
}

test('a request that finds nobody counts, without bytes', () => {
  for (const task of ['fetch-refused', 'http-refused']) {
    assert.deepEqual(usage(task), { requests: 1, sent: 0, received: 0 });
  }
});

test('a request that is given up before its end counts with what was sent of it', () => {
  // The server answers with 400 to nobody.
  const sent = servers.get('http-unfinished')!.received();
  assert.ok(sent > 0);
  assert.deepEqual(usage('http-unfinished'), { requests: 1, sent, received: 0 });
});

test('two tasks that share a connection have each its own part of it', () => {
  const server = servers.get('shared')!;
  const [a, b] = [usage('shared-a'), usage('shared-b')] as Record<string, number>[];
  assert.equal(server.requests(), 2);
  assert.equal(a!.sent! + b!.sent!, server.received());
  assert.equal(a!.received! + b!.received!, server.sent());
  // The path is a letter longer, the body 1,000 bytes.
  assert.equal(b!.sent! - a!.sent!, 1001);
  assert.equal(b!.received! - a!.received!, 1);
});

test('a request counts for the run that started it, also when it ends after that; its bytes count for nobody then', () => {
  assert.deepEqual(usage('early'), { requests: 1, sent: 0, received: 0 });
  assert.deepEqual(usage('after-early'), { requests: 0, sent: 0, received: 0 });
});

test('requests outside of runs count for no task', () => {
  assert.equal(servers.get('none')!.requests(), 1);
  assert.deepEqual(usage('none'), { requests: 0, sent: 0, received: 0 });
  const total = lastPoints(sink, 'task.network.requests', {}).reduce((sum, { value }) => sum + value, 0);
  const expected = Object.values(EXACT).reduce((sum, n) => sum + n, 0);
  assert.equal(total, expected + 1 + 2 + 2 + 1);
});
