import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { type CountingServers, startCountingServers } from '../../helpers/counting-servers.ts';
import { freePort } from '../../helpers/free-port.ts';
import { networkSide, until } from '../../helpers/network-side.ts';

let servers: CountingServers;
let web: number;
let streams: number;
let main: ReturnType<typeof networkSide>;
before(async () => {
  servers = startCountingServers();
  web = await servers.open('http');
  streams = await servers.open('h2c');
});
after(() => servers.stop());
beforeEach(() => {
  main = networkSide();
});
afterEach(() => {
  main.stop();
  assert.deepEqual(main.faults, []);
});

/** `asked` fulfils when the server has the request. */
type Way = (url: string, asked: () => Promise<unknown>) => Promise<unknown>;

const never = (): Promise<never> => new Promise(() => {});

const viaFetch: Way = async (url) => (await fetch(url)).text();

const viaHttp: Way = (url) =>
  new Promise((done, failed) => {
    const sent = http.get(url, { agent: false }, (response) => response.resume().on('error', failed));
    sent.on('close', () => done(undefined)).on('error', failed);
  });

const viaHttp2: Way = async (url) => {
  const session = http2.connect(url);
  session.on('error', () => {});
  const sent = session.request({ ':path': new URL(url).pathname });
  sent.on('error', () => {}).resume();
  await once(sent, 'close').finally(() => session.destroy());
};

/** Begins, and breaks off when the server has it. */
const breakOff: Record<string, Way> = {
  fetch: async (url, asked) => {
    const abort = new AbortController();
    void asked().then(() => abort.abort());
    await (await fetch(url, { signal: abort.signal })).text();
  },
  http: (url, asked) =>
    new Promise((done) => {
      const sent = http.get(url, { agent: false }, (response) => response.on('error', () => {}).resume());
      sent.on('error', () => {}).on('close', () => done(undefined));
      void asked().then(() => sent.destroy());
    }),
  http2: async (url, asked) => {
    const session = http2.connect(url);
    const sent = session.request({ ':path': new URL(url).pathname });
    sent.on('error', () => {}).resume();
    void asked().then(() => sent.close(http2.constants.NGHTTP2_CANCEL));
    await once(sent, 'close').finally(() => session.destroy());
  },
};

const waitNoLonger: Record<string, Way> = {
  fetch: (url) => fetch(url, { signal: AbortSignal.timeout(20) }),
  http: (url) =>
    new Promise((done) => {
      const sent = http.get(url, { agent: false, timeout: 20 });
      sent
        .on('timeout', () => sent.destroy())
        .on('error', () => {})
        .on('close', () => done(undefined));
    }),
  http2: async (url) => {
    const session = http2.connect(url);
    const sent = session.request({ ':path': new URL(url).pathname }, { signal: AbortSignal.timeout(20) });
    await once(sent, 'close').finally(() => session.destroy());
  },
};

for (const [client, use] of Object.entries({ fetch: viaFetch, http: viaHttp, http2: viaHttp2 })) {
  const cases: [what: string, way: Way, path: string, outcome: string][] = [
    ['a response', use, '/', 'success'],
    ['404', use, '/status/404', 'client_error'],
    ['503', use, '/status/503', 'server_error'],
    ['a connection that the server resets', use, '/reset', 'error'],
    ['a request that its caller breaks off', breakOff[client]!, '/hang', 'aborted'],
    ['a response that its caller breaks off', breakOff[client]!, '/begin', 'aborted'],
    ['a server that does not answer in time', waitNoLonger[client]!, '/hang', 'timeout'],
  ];
  // Over HTTP/2 a connection that ends within a response is an error of the stream, as a reset is.
  if (client !== 'http2') cases.push(['a response that the server cuts off', use, '/cut', 'error']);
  for (const [what, way, path, outcome] of cases) {
    test(`${client}: ${what} is counted as ${outcome}`, async () => {
      const port = client === 'http2' ? streams : web;
      const { requests } = await servers.counts(port);
      const asked = (): Promise<void> =>
        until('the server has the request', async () => (await servers.counts(port)).requests > requests);
      const run = await main.run('one', () => way(`http://127.0.0.1:${port}${path}`, asked).catch(() => {}));
      const ended = (): [string, number][] =>
        Object.entries(main.traffic('one', port) ?? {}).filter(
          ([name, n]) => n > 0 && !/^bytes|^timeMs/.test(name),
        );
      await until('it has ended', () => ended().length > 0);
      assert.deepEqual(ended(), [[outcome, 1]]);
      assert.ok(main.traffic('one', port)!.timeMs! > 0);
      const isFailure = ['server_error', 'timeout', 'error'].includes(outcome);
      assert.equal(run.extra?.failedRequests ?? 0, isFailure ? 1 : 0);
    });
  }
}

test('a server that nobody is at is an error', async () => {
  const port = await freePort();
  for (const way of [viaFetch, viaHttp]) {
    const before = main.traffic('one', port)?.error ?? 0;
    await main.run('one', () => way(`http://127.0.0.1:${port}/`, never).catch(() => {}));
    assert.equal(main.traffic('one', port)!.error, before + 1);
  }
});

test('a response that never ends counts by its status when the run ends, with its bytes so far, and once', async () => {
  const abort = new AbortController();
  const run = await main.run('one', async () => {
    const response = await fetch(`http://127.0.0.1:${web}/begin`, { signal: abort.signal });
    await response.body!.getReader().read();
  });
  assert.ok(run.bytesIn > 1000);
  assert.equal(main.traffic('one', web)!.success, 1);
  abort.abort();
  await new Promise(setImmediate);
  const { success, aborted } = main.traffic('one', web)!;
  assert.deepEqual({ success, aborted }, { success: 1, aborted: 0 });
});

test('a request that ends after its run counts for the task', async () => {
  let request: Promise<unknown> | undefined;
  const run = await main.run('one', () => {
    request = viaHttp(`http://127.0.0.1:${web}/status/500`, never);
  });
  assert.deepEqual([run.requests, run.bytesIn], [1, 0]);
  await request;
  assert.equal(main.traffic('one', web)!.server_error, 1);
});

test('a request outside of runs counts for no task', async () => {
  await viaFetch(`http://127.0.0.1:${web}/`, never);
  assert.equal(main.traffic('send', web), undefined);
  assert.ok(main.traffic('shared', web)!.bytesIn! > 500);
});

test('servers over the limit are one', async () => {
  main.stop();
  main = networkSide(1);
  const others = [await servers.open('http'), await servers.open('http')];
  for (const port of [web, ...others])
    await main.run('one', () => viaFetch(`http://127.0.0.1:${port}/`, never));
  assert.equal(main.traffic('one', web)!.success, 1);
  assert.equal(main.traffic('one', undefined)!.success, 2);
});

test('a replaced fetch is what the application makes of it', async () => {
  const original = globalThis.fetch;
  globalThis.fetch = (async (url: string) => original(`${url}?replaced`)) as typeof fetch;
  try {
    const run = await main.run('one', () => viaFetch(`http://127.0.0.1:${web}/`, never));
    assert.equal(run.requests, 1);
  } finally {
    globalThis.fetch = original;
  }
});
