import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import http from 'node:http';
import http2, { type ClientHttp2Session } from 'node:http2';
import https from 'node:https';
import net, { type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import tls from 'node:tls';
import {
  type CountingServers,
  type Counts,
  type Kind,
  startCountingServers,
} from '../../helpers/counting-servers.ts';
import { networkSide, until } from '../../helpers/network-side.ts';

const PSK = {
  ciphers: 'PSK',
  maxVersion: 'TLSv1.2',
  checkServerIdentity: () => undefined,
  pskCallback: () => ({ psk: Buffer.from('secret'), identity: 'test' }),
} as const;

let servers: CountingServers;
let main: ReturnType<typeof networkSide>;
before(() => {
  servers = startCountingServers();
});
after(() => servers.stop());
beforeEach(() => {
  main = networkSide();
});
afterEach(() => {
  main.stop();
  assert.deepEqual(main.faults, []);
});

/** The server's figures, once all has arrived there. */
async function arrived(port: number, received: number): Promise<Counts> {
  await until(
    `${received} bytes at the server`,
    async () => (await servers.counts(port)).received >= received,
  );
  return servers.counts(port);
}

function request(url: string, options: https.RequestOptions = {}, body?: string): Promise<void> {
  const { request: make } = url.startsWith('https:') ? https : http;
  return new Promise((done, failed) => {
    const sent = make(url, { method: body === undefined ? 'GET' : 'POST', ...options });
    sent.on('response', (response) => response.resume().on('error', () => {}));
    sent.on('close', done).on('error', failed).end(body);
  });
}

async function stream(session: ClientHttp2Session, path: string, body?: string): Promise<void> {
  const sent = session.request({ ':path': path, ':method': body === undefined ? 'GET' : 'POST' });
  sent.resume().end(body);
  await once(sent, 'close');
}

async function echoed(socket: Socket, text: string): Promise<void> {
  let left = 2 * text.length;
  socket.write(text);
  while (left > 0) left -= ((await once(socket, 'data')) as [Buffer])[0].length;
}

const WAYS: Record<string, { kind: Kind; requests: number; use: (port: number) => Promise<unknown> }> = {
  'fetch, also redirected': {
    kind: 'http',
    requests: 4,
    use: async (port) => {
      for (const path of ['', '/redirect', '/body/300000'])
        await (await fetch(`http://127.0.0.1:${port}${path}`)).text();
    },
  },
  https: {
    kind: 'https',
    requests: 2,
    use: async (port) => {
      const agent = new https.Agent({ keepAlive: true, ...(PSK as object) });
      for (const body of ['a'.repeat(100_000), undefined])
        await request(`https://127.0.0.1:${port}/body/7000`, { agent }, body);
      agent.destroy();
    },
  },
  'http2, in the clear': {
    kind: 'h2c',
    requests: 3,
    use: async (port) => {
      const session = http2.connect(`http://127.0.0.1:${port}`);
      await Promise.all([
        stream(session, '/'),
        stream(session, '/body/50000'),
        stream(session, '/', 'z'.repeat(30_000)),
      ]);
      session.close();
      await once(session, 'close');
    },
  },
  'http2 over TLS': {
    kind: 'h2',
    requests: 1,
    use: async (port) => {
      const session = http2.connect(`https://127.0.0.1:${port}`, PSK as http2.SecureClientSessionOptions);
      await stream(session, '/body/100000', 'a');
      session.close();
      await once(session, 'close');
    },
  },
  'a socket of its own': {
    kind: 'tcp',
    requests: 0,
    use: async (port) => {
      const socket = net.connect(port, '127.0.0.1');
      await echoed(socket, 'a'.repeat(70_000));
      socket.destroy();
    },
  },
  'a TLS socket of its own': {
    kind: 'tls',
    requests: 0,
    use: async (port) => {
      const socket = tls.connect({ port, host: '127.0.0.1', ...(PSK as object) });
      await once(socket, 'secureConnect');
      await echoed(socket, 'b'.repeat(1000));
      socket.destroy();
    },
  },
  'a WebSocket': {
    kind: 'http',
    requests: 1,
    use: async (port) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`);
      await once(socket, 'message');
      socket.send('d'.repeat(2000));
      // The server does not answer to it: closing would wait for that.
      await until('all was sent', () => socket.bufferedAmount === 0);
    },
  },
  'an upgraded connection': {
    kind: 'http',
    requests: 1,
    use: async (port) => {
      const sent = http.get({ port, host: '127.0.0.1', headers: { connection: 'Upgrade', upgrade: 'echo' } });
      const [, socket] = (await once(sent, 'upgrade')) as [unknown, Socket];
      await echoed(socket, 'c'.repeat(5000));
      socket.destroy();
    },
  },
};

for (const [way, { kind, requests, use }] of Object.entries(WAYS)) {
  test(`${way}: requests and bytes of the run are what the server counts`, async () => {
    const port = await servers.open(kind);
    const run = await main.run('one', () => use(port));
    const counts = await arrived(port, run.bytesOut);
    const { requests: counted, bytesIn, bytesOut } = run;
    assert.deepEqual(
      { counted, bytesIn, bytesOut },
      { counted: requests, bytesIn: counts.sent, bytesOut: counts.received },
    );
    assert.equal(counts.requests, requests);
    const traffic = main.traffic('one', port)!;
    assert.deepEqual(
      [traffic.bytesIn, traffic.bytesOut, traffic.success],
      [counts.sent, counts.received, requests],
    );
    assert.equal(main.traffic('shared', port), undefined);
  });
}

test('TLS through a tunnel counts once, and the tunnel as a request to the proxy', async () => {
  const port = await servers.open('https');
  const proxy = http.createServer().on('connect', (_, client: Socket) => {
    const server = net.connect(port, '127.0.0.1');
    client.write('HTTP/1.1 200 OK\r\n\r\n');
    client.pipe(server).pipe(client);
    for (const socket of [client, server]) socket.on('error', () => {});
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  // A test that fails half-way must not keep the process.
  proxy.unref();
  const proxyPort = (proxy.address() as net.AddressInfo).port;
  const run = await main.run('one', async () => {
    const asked = http.request({ port: proxyPort, host: '127.0.0.1', method: 'CONNECT', path: 'x:1' });
    asked.end();
    const [, below] = (await once(asked, 'connect')) as [unknown, Socket];
    const socket = tls.connect({ socket: below, ...(PSK as object) });
    await once(socket, 'secureConnect');
    const options = { createConnection: () => socket } as https.RequestOptions;
    await request(`https://127.0.0.1:${port}/body/9000`, options);
    socket.destroy();
  });
  proxy.close();
  const counts = await servers.counts(port);
  const own = main.traffic('one', port)!;
  assert.deepEqual([own.bytesIn, own.bytesOut, own.success], [counts.sent, counts.received, 1]);
  // CONNECT and the handshake of TLS went to the proxy.
  const tunnel = main.traffic('one', proxyPort)!;
  assert.equal(tunnel.success, 1);
  assert.ok(tunnel.bytesIn! < 5000, String(tunnel.bytesIn));
  assert.equal(run.requests, 2);
  assert.equal(run.bytesIn, own.bytesIn! + tunnel.bytesIn!);
});

test('a request with a Host header of its own counts for the server that it goes to', async () => {
  const port = await servers.open('http');
  await main.run('one', () =>
    request(`http://127.0.0.1:${port}/body/10`, { headers: { host: 'a.example' } }),
  );
  const { success, bytesIn } = main.traffic('one', port)!;
  assert.equal(success, 1);
  assert.equal(bytesIn, (await servers.counts(port)).sent);
});

test('a server on a Unix domain socket', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'taskwarden-')), 'http');
  const server = http.createServer((_, response) => response.end('hello')).listen(path);
  await once(server, 'listening');
  const run = await main.run('one', () => request('http://localhost/', { socketPath: path, agent: false }));
  server.close();
  assert.equal(run.requests, 1);
  const { success, bytesIn } = main.traffic('one', undefined)!;
  assert.deepEqual([success, bytesIn], [1, run.bytesIn]);
  assert.ok(run.bytesIn > 5);
});
