import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import net, { type Socket } from 'node:net';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { type CountingServers, startCountingServers } from '../../helpers/counting-servers.ts';
import { networkSide, until } from '../../helpers/network-side.ts';

let servers: CountingServers;
let main: ReturnType<typeof networkSide>;
const opened: { destroy(): unknown }[] = [];
before(() => {
  servers = startCountingServers();
});
after(() => servers.stop());
beforeEach(() => {
  main = networkSide();
});
afterEach(() => {
  for (const each of opened.splice(0)) each.destroy();
  main.stop();
  assert.deepEqual(main.faults, []);
});

function connect(port: number): Socket {
  const socket = net.connect(port, '127.0.0.1');
  opened.push(socket);
  return socket;
}

async function echoed(socket: Socket, text: string): Promise<void> {
  let left = 2 * text.length;
  socket.write(text);
  while (left > 0) left -= ((await once(socket, 'data')) as [Buffer])[0].length;
}

test('what runs send over a connection from outside of runs is shared', async () => {
  const port = await servers.open('tcp');
  const socket = connect(port);
  const runs = [await main.run('one', () => echoed(socket, 'a'.repeat(100)))];
  runs.push(await main.run('two', () => echoed(socket, 'b'.repeat(200))));
  for (const run of runs) assert.deepEqual([run.requests, run.bytesIn, run.bytesOut], [0, 0, 0]);
  const { bytesIn, bytesOut } = main.traffic('shared', port)!;
  assert.deepEqual([bytesIn, bytesOut], [600, 300]);
  assert.equal(main.traffic('one', port), undefined);
});

test('a connection is shared from the moment on that another run writes to it', async () => {
  const port = await servers.open('tcp');
  const ready = Promise.withResolvers<Socket>();
  const done = Promise.withResolvers<void>();
  const first = main.run('one', async () => {
    const socket = connect(port);
    await echoed(socket, 'a'.repeat(100));
    ready.resolve(socket);
    await done.promise;
  });
  const second = await main.run('two', async () => echoed(await ready.promise, 'b'.repeat(1000)));
  done.resolve();
  const { bytesIn, bytesOut } = await first;
  assert.deepEqual([bytesIn, bytesOut], [200, 100]);
  assert.deepEqual([second.bytesIn, second.bytesOut], [0, 0]);
  assert.equal(main.traffic('shared', port)!.bytesOut, 1000);
});

test('a connection is shared once a pool has it, though its callbacks have the context of the run that opened it', async () => {
  const port = await servers.open('tcp');
  const run = await main.run('one', async () => {
    const socket = connect(port);
    await echoed(socket, 'a'.repeat(100));
    main.meter.pooled(() => socket);
    await echoed(socket, 'b'.repeat(1000));
  });
  assert.deepEqual([run.bytesIn, run.bytesOut], [200, 100]);
  assert.equal(main.traffic('shared', port)!.bytesOut, 1000);
  main.meter.pooled(() => undefined);
});

test('a connection that outlives its run is shared from then on', async () => {
  const port = await servers.open('tcp');
  let socket: Socket | undefined;
  const run = await main.run('one', async () => {
    socket = connect(port);
    await echoed(socket, 'a'.repeat(100));
  });
  await echoed(socket!, 'b'.repeat(10));
  assert.deepEqual([run.bytesIn, run.bytesOut], [200, 100]);
  assert.equal(main.traffic('one', port)!.bytesOut, 100);
  assert.deepEqual([main.traffic('shared', port)!.bytesIn, main.traffic('shared', port)!.bytesOut], [20, 10]);
});

for (const [what, waits] of [
  ['a body that is read after the end of its run', true],
  ['a request that nobody waits for', false],
] as const)
  test(`${what}: bytes from then on are shared, and nothing is lost`, async () => {
    const port = await servers.open('http');
    let response: Promise<Response> | undefined;
    const run = await main.run('one', async () => {
      response = fetch(`http://127.0.0.1:${port}/body/500000`, { headers: { connection: 'close' } });
      if (waits) await response;
    });
    assert.equal(run.requests, 1);
    assert.ok(run.bytesIn < 400_000, String(run.bytesIn));
    assert.equal(run.bytesIn > 0, waits);
    await (await response!).arrayBuffer();
    const counts = await servers.counts(port);
    const [own, shared] = [main.traffic('one', port)!, main.traffic('shared', port)!];
    assert.deepEqual([own.bytesIn, own.bytesOut], [run.bytesIn, run.bytesOut]);
    assert.equal(own.success, 1);
    assert.deepEqual(
      [own.bytesIn! + shared.bytesIn!, own.bytesOut! + shared.bytesOut!],
      [counts.sent, counts.received],
    );
  });

test("an HTTP/2 session of several runs: its bytes are a run's while it alone has requests on it, requests are always", async () => {
  const port = await servers.open('h2c');
  const session = http2.connect(`http://127.0.0.1:${port}`);
  opened.push(session);
  await once(session, 'remoteSettings');
  const get = async (path: string): Promise<void> => {
    const sent = session.request({ ':path': path }).resume();
    await once(sent, 'close');
  };
  const alone = await main.run('alone', () => get('/body/5000'));
  assert.equal(alone.requests, 1);
  assert.ok(alone.bytesIn > 5000 && alone.bytesIn < 5500, String(alone.bytesIn));
  const both = await Promise.all([
    main.run('one', () => get('/body/20000')),
    main.run('two', () => get('/body/20000')),
  ]);
  const counts = await servers.counts(port);
  assert.deepEqual(
    both.map((run) => run.requests),
    [1, 1],
  );
  const shared = main.traffic('shared', port)!;
  const own = both.reduce((sum, run) => sum + run.bytesIn, alone.bytesIn);
  assert.ok(shared.bytesIn! > 10_000, String(shared.bytesIn));
  await until('all is counted once', () => own + main.traffic('shared', port)!.bytesIn! === counts.sent);
});

test('what a run has used so far can be read in it, and of a run in flight by the agent', async () => {
  const port = await servers.open('tcp');
  await main.run('one', async () => {
    const socket = connect(port);
    await echoed(socket, 'a'.repeat(100));
    assert.equal(main.tasks.current()!.bytesIn, 200);
    await echoed(socket, 'a'.repeat(100));
    main.meter.check();
    main.tasks.publish();
    assert.equal(main.inbox.active()[0]!.bytesIn, 400);
  });
});

test('a second connection of the same socket begins at 0', async () => {
  const port = await servers.open('tcp');
  const run = await main.run('one', async () => {
    const socket = connect(port);
    await echoed(socket, 'a'.repeat(100));
    socket.destroy();
    await once(socket, 'close');
    socket.connect(port, '127.0.0.1');
    await echoed(socket, 'b'.repeat(50));
    socket.destroy();
  });
  assert.deepEqual([run.bytesIn, run.bytesOut], [300, 150]);
});

test('after the stop sockets have their own write again', () => {
  const { write } = net.Socket.prototype;
  main.stop();
  assert.ok(!Object.hasOwn(net.Socket.prototype, 'write') || net.Socket.prototype.write !== write);
});
