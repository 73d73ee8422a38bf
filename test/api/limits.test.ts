import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { ApiServer } from '../../src/api/server.ts';
import type { Queryable } from '../../src/model/queryable.ts';
import { askPort, serve, storeOf, T0 } from './server.ts';

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };

/** All that a connection brings until its end. */
async function read(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(socket, 'close');
  return text;
}

test('paths are what they are: nothing leads out of the routes', async () => {
  const { ask } = await serve();
  for (const path of [
    '/',
    '/../../etc/passwd',
    '/api/v1/../../../etc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/api/v1/label/../../values',
    '/api/v1/label//values',
    '/api/v1/query/',
    '//api/v1/query',
    '/API/v1/query',
    '/constructor',
    '/__proto__',
    '/metrics\\',
    'http://evil.example/api/v1/query?query=1',
  ]) {
    const { status, json } = await ask(path);
    assert.deepEqual([status, json.errorType], [404, 'not_found'], path);
  }
});

test('methods', async () => {
  const { ask } = await serve();
  for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']) {
    const { status, headers } = await ask('/api/v1/query?query=1', { method });
    assert.deepEqual([status, headers.allow], [405, 'GET, HEAD, POST'], method);
  }
  assert.equal((await ask('/api/v1/rules', { method: 'POST', headers: FORM })).status, 405);
  const head = await ask('/metrics', { method: 'HEAD' });
  assert.deepEqual([head.status, head.body], [200, '']);
  assert.ok(Number(head.headers['content-length']) > 0);
});

test('a form that is too large is refused, whether or not it says so', async () => {
  const { ask, connect } = await serve();
  const body = `query=1&x=${'a'.repeat(300_000)}`;
  for (const more of [{}, { 'Transfer-Encoding': 'chunked' }] as Record<string, string>[]) {
    const { status, json } = await ask('/api/v1/query', {
      method: 'POST',
      headers: { ...FORM, ...more },
      body,
    });
    assert.deepEqual([status, json.errorType], [413, 'too_large']);
  }
  // One that never ends its body is not read to its end.
  const socket = connect();
  const answered = read(socket);
  socket.write(
    'POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 99999999\r\n\r\nquery=1',
  );
  assert.match(await answered, /^HTTP\/1\.1 413 [\s\S]*Connection: close/);
  assert.equal((await ask('/healthz')).status, 200);
});

test('headers that are too large, and what is no HTTP', async () => {
  const { connect, ask, statuses } = await serve();
  for (const [sent, status] of [
    [`GET /?${'a'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 431],
    ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    ['GET / HTTP/1.1\r\n\r\n', 400],
    ['GET /healthz HTTP/1.0\r\n\r\n', 403],
    ['GET /healthz HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n', 403],
    [
      'GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
  ] as const) {
    const socket = connect();
    const answered = read(socket);
    socket.write(sent);
    assert.match(await answered, new RegExp(`^HTTP/1\\.1 ${status} `));
  }
  assert.deepEqual([...statuses].sort(), [400, 400, 403, 403, 431]);
  assert.equal((await ask('/healthz')).status, 200);
});

test('who sends slowly, or nothing, is cut off', async () => {
  const { connect, ask } = await serve({ limits: { arriveMs: 50 } });
  const [silent, header, body] = [connect(), connect(), connect()];
  const ends = Promise.all([read(silent), read(header), read(body)]);
  header.write('GET /healthz HTTP/1.1\r\nHost: loc');
  body.write(
    'POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\nque',
  );
  for (const text of await ends) assert.match(text, /^(HTTP\/1\.1 408 .*[\s\S]*)?$/);
  assert.equal((await ask('/healthz')).status, 200);
});

test('who does not read is cut off, and gives the place back', async () => {
  const { connect, ask } = await serve({ queryable: wide(), limits: { sendMs: 100, inside: 1 } });
  const socket = connect();
  socket.pause();
  socket.write('GET /api/v1/series?match[]=wide HTTP/1.1\r\nHost: localhost\r\n\r\n');
  // Answered once the place is free, and that is when the other has been cut off.
  assert.equal((await ask('/api/v1/query?query=1')).status, 200);
  const text = await read(socket.resume());
  assert.match(text, /^HTTP\/1\.1 200 OK/);
  const length = Number(/Content-Length: (\d+)/.exec(text)![1]);
  assert.ok(length > 10_000_000 && text.length < length, `${text.length} of ${length}`);
});

test('more requests than may wait are refused at once', async () => {
  const { ask, connect } = await serve({ limits: { inside: 1, waiting: 2 }, queryable: wide() });
  // Takes the only place: an answer of some megabytes that nobody reads.
  const reader = connect();
  reader.pause();
  reader.write('GET /api/v1/series?match[]=wide HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(reader, 'readable');
  const waiting = [ask('/api/v1/rules'), ask('/api/v1/rules')];
  // The two stand in line once a third is refused.
  let refused = await ask('/api/v1/rules?third');
  while (refused.status !== 503) refused = await ask('/api/v1/rules');
  assert.deepEqual(refused.json, {
    status: 'error',
    errorType: 'unavailable',
    error: 'too many requests at once',
  });
  assert.equal(refused.headers['retry-after'], '1');
  assert.equal((await ask('/healthz')).status, 200);
  reader.destroy();
  for (const { status } of await Promise.all(waiting)) assert.equal(status, 200);
});

function wide(): Queryable {
  return storeOf(
    Array.from(
      { length: 2000 },
      (_, at) => [{ __name__: 'wide', text: `${at} ${'x'.repeat(5000)}` }, () => 1] as const,
    ),
    1,
  );
}

test('a thousand connections: a bounded number is held, and work goes on', async () => {
  const dropped = Promise.withResolvers<void>();
  let count = 0;
  const onDropped = (): void => void (++count === 980 && dropped.resolve());
  const { connect, ask } = await serve({ onDropped, limits: { connections: 20 } });
  const sockets = Array.from({ length: 1000 }, () => connect().resume());
  await dropped.promise;
  for (const socket of sockets) socket.destroy();
  const healthy = (): Promise<number> => ask('/healthz').then(({ status }) => status, healthy);
  assert.equal(await healthy(), 200);
});

test('who leaves before the answer is no longer worked for', async () => {
  let selects = 0;
  const left = Promise.withResolvers<void>();
  const { connect, ask, statuses } = await serve({
    queryable: {
      select: () => {
        if (++selects === 1) {
          socket.destroy();
          left.resolve();
        }
        const until = performance.now() + 2;
        while (performance.now() < until);
        return [];
      },
    },
  });
  const socket = connect();
  socket.write(
    'GET /api/v1/query_range?query=x&start=0&end=10000&step=1 HTTP/1.1\r\nHost: localhost\r\n\r\n',
  );
  await left.promise;
  while (!statuses.includes(499)) await ask('/healthz');
  assert.deepEqual(
    statuses.filter((status) => status !== 200),
    [499],
  );
  assert.ok(selects < 1000, `${selects} steps`);
});

test('a port in use is told, and taken once it is free', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as { port: number };
  const listening = Promise.withResolvers<void>();
  const { busy } = await serve({ port, onListening: () => listening.resolve(), limits: { retryMs: 10 } });
  while (busy.length < 2) await new Promise((later) => setTimeout(later, 5));
  assert.match(busy[0]!.message, /EADDRINUSE/);
  other.close();
  await listening.promise;
  assert.equal((await askPort(port, '/healthz')).status, 200);
});

test('a server that is closed does not try again', async () => {
  const { port } = await serve();
  const busy = Promise.withResolvers<void>();
  const attempts: Error[] = [];
  const second = new ApiServer({
    ...{ host: '127.0.0.1', port, hosts: [], token: '', queryable: storeOf([]), now: () => T0 },
    ...{ rules: () => [], metrics: () => [], resource: {}, limits: { retryMs: 1 } },
    ...{ onListening: () => {}, onRequest: () => {}, onDropped: () => {}, onFault: () => {} },
    onBusy: (error) => {
      attempts.push(error);
      busy.resolve();
    },
  });
  second.listen();
  await busy.promise;
  await second.close();
  const before = attempts.length;
  await new Promise((later) => setTimeout(later, 20));
  assert.equal(attempts.length, before);
});
