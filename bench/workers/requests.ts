import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';

const CONCURRENCY = 50;
const PSK = {
  ciphers: 'PSK',
  maxVersion: 'TLSv1.2',
  checkServerIdentity: () => undefined,
  pskCallback: () => ({ psk: Buffer.from('secret'), identity: 'bench' }),
} as const;

const body = (i: number): string => 'b'.repeat((i * 7919) % 20_000);
const path = (i: number): string => `/body/${(i * 104_729) % 50_000}`;
const agents = {
  http: new http.Agent({ keepAlive: true }),
  https: new https.Agent({ keepAlive: true, ...(PSK as object) }),
};

async function post(scheme: 'http' | 'https', port: number, i: number): Promise<void> {
  const { request } = scheme === 'http' ? http : https;
  const sent = request(`${scheme}://127.0.0.1:${port}${path(i)}`, { method: 'POST', agent: agents[scheme] });
  sent.end(body(i));
  const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
  await once(response.resume(), 'end');
}

async function echo(socket: net.Socket, i: number): Promise<void> {
  const text = `${body(i)}.`;
  let left = 2 * text.length;
  socket.write(text);
  while (left > 0) left -= ((await once(socket, 'data')) as [Buffer])[0].length;
  socket.destroy();
}

/** Ways to use the network, by name. */
export const WAYS: Readonly<Record<string, (port: number, i: number) => Promise<void>>> = {
  fetch: async (port, i) => {
    const url = `http://127.0.0.1:${port}${path(i)}`;
    await (await fetch(url, { method: 'POST', body: body(i) })).arrayBuffer();
  },
  http: (port, i) => post('http', port, i),
  https: (port, i) => post('https', port, i),
  http2: async (port, i) => {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    const sent = session.request({ ':path': path(i), ':method': 'POST' }).resume();
    sent.end(body(i));
    await once(sent, 'close');
    session.close();
    await once(session, 'close');
  },
  net: (port, i) => echo(net.connect(port, '127.0.0.1'), i),
  tls: async (port, i) => {
    const socket = tls.connect({ port, host: '127.0.0.1', ...(PSK as object) });
    await once(socket, 'secureConnect');
    await echo(socket, i);
  },
};

/** Has `count` runs, 50 at a time. */
export async function load(count: number, run: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) await run(next++);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, one));
}
