import assert from 'node:assert/strict';
import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { afterEach, mock, test } from 'node:test';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { fillChannels } from '../../src/instrument/channels.ts';
import { startCountingServers } from '../helpers/counting-servers.ts';
import { networkSide } from '../helpers/network-side.ts';

/** Without channels of HTTP/2, and with load hooks that do no harm. */
const OLD = '22.15.0';

const fail = (error: unknown): void => assert.fail(String(error));

let undo: (() => void)[] = [];
afterEach(() => {
  for (const each of undo) each();
  undo = [];
  mock.restoreAll();
});

/** As an older Node.js: those channels are silent. */
function oldSide() {
  const { subscribe } = diagnostics;
  mock.method(diagnostics, 'subscribe', (name: string, listener: Parameters<typeof subscribe>[1]) => {
    if (!name.startsWith('http2.')) subscribe(name, listener);
  });
  const main = networkSide(50, undefined, OLD);
  undo.push(main.stop);
  return main;
}

test('requests of HTTP/2 are counted without channels: what is answered, breaks or is broken off', async () => {
  const servers = startCountingServers();
  undo.push(() => void servers.stop());
  const port = await servers.open('h2c');
  const main = oldSide();
  const run = await main.run('one', async () => {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    session.on('error', () => {});
    const ask = async (path: string, use?: (stream: http2.ClientHttp2Stream) => void): Promise<void> => {
      const stream = session.request({ ':path': path }).resume();
      stream.on('error', () => {});
      use?.(stream);
      await new Promise((closed) => stream.on('close', closed));
    };
    await Promise.all([ask('/body/5000'), ask('/status/404'), ask('/status/503')]);
    await ask('/hang', (stream) => setTimeout(() => stream.close(http2.constants.NGHTTP2_CANCEL), 20));
    await ask('/reset');
    session.destroy();
  });
  assert.deepEqual([run.requests, run.extra?.failedRequests], [5, 2]);
  const counts = await servers.counts(port);
  const { success, client_error, server_error, aborted, error, bytesIn } = main.traffic('one', port)!;
  assert.deepEqual(
    { success, client_error, server_error, aborted, error, bytesIn },
    { success: 1, client_error: 1, server_error: 1, aborted: 1, error: 1, bytesIn: counts.sent },
  );
  assert.deepEqual(main.faults, []);
});

test('functions of HTTP/2 keep what they have, and are as they were in the end', () => {
  const { connect } = http2;
  const main = oldSide();
  assert.notEqual(http2.connect, connect);
  assert.deepEqual([http2.connect.name, http2.connect.length], [connect.name, connect.length]);
  assert.equal(promisify(http2.connect), promisify(connect));
  main.stop();
  assert.equal(http2.connect, connect);
});

test('sockets are told of once, whoever connects them', async () => {
  const server = net.createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const told: unknown[] = [];
  const heard = (message: unknown): void => void told.push((message as { socket: unknown }).socket);
  // Node.js of today tells itself; only what is told beside it is looked at.
  const channel = diagnostics.channel('net.client.socket');
  mock.method(channel, 'publish', heard);
  undo.push(fillChannels({ network: undefined, onError: fail, node: OLD }));
  const own = new net.Socket();
  const sockets = [net.connect(port), own.connect(port)];
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  assert.equal(told.filter((socket) => socket === own).length, 1);
  for (const socket of sockets) socket.destroy();
  server.close();
});

test('HTTP/2 is not loaded, but seen when it is, by import and by require', async () => {
  for (const load of ["await import('node:http2')", "createRequire(import.meta.url)('http2')"]) {
    const worker = new Worker(
      `import { createRequire } from 'node:module';
      import { parentPort } from 'node:worker_threads';
      const { fillChannels } = await import(${JSON.stringify(new URL('../../src/instrument/channels.ts', import.meta.url).href)});
      let requests = 0;
      fillChannels({ network: { http2Requested: () => requests++ }, onError: console.error, node: '${OLD}' });
      const before = process.moduleLoadList.includes('NativeModule http2');
      const { connect, createServer } = ${load};
      const server = createServer((_, response) => response.end()).listen(0, () => {
        const session = connect('http://127.0.0.1:' + server.address().port);
        session.request().resume().on('close', () => {
          session.close();
          server.close();
          parentPort.postMessage({ before, requests });
        });
      });`,
      { eval: true },
    );
    const [told] = (await once(worker, 'message')) as [unknown];
    assert.deepEqual(told, { before: false, requests: 1 });
    await worker.terminate();
  }
});
