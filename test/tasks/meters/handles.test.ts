import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo, type Server, type Socket } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import tls from 'node:tls';
import { Worker } from 'node:worker_threads';
import { fillChannels } from '../../../src/instrument/channels.ts';
import { replaceMethod } from '../../../src/instrument/patch.ts';
import { runStorage } from '../../../src/tasks/context.ts';
import { HandleMeter } from '../../../src/tasks/meters/handles.ts';
import { NetworkMeter } from '../../../src/tasks/meters/network.ts';
import { Tally } from '../../../src/tasks/tally.ts';
import { mainSide, runInfo } from '../../helpers/main-side.ts';

const GRACE_MS = 10_000;
const LATER = 1e9;

let server: Server;
let web: http.Server;
const opened: { destroy(): unknown }[] = [];

before(async () => {
  server = net.createServer((socket) => socket.on('error', () => {})).listen(0);
  web = http.createServer((_, response) => response.end('ok')).listen(0);
  await Promise.all([once(server, 'listening'), once(web, 'listening')]);
});
after(() => {
  for (const each of opened) each.destroy();
  server.close();
  web.close();
  web.closeAllConnections();
});

function side() {
  const faults: unknown[] = [];
  const tally = new Tally();
  let dropped = 0;
  const onError = (error: unknown): void => void faults.push(error);
  const network = new NetworkMeter({ maxServers: 10, replace: replaceMethod, onError });
  const meter = new HandleMeter({
    graceMs: GRACE_MS,
    tally,
    replace: replaceMethod,
    above: (socket) => network.above(socket),
    onDropped: () => dropped++,
    onError,
  });
  const main = mainSide({ tasks: { handles: meter, networkMeter: network } });
  return {
    ...main,
    faults,
    meter,
    dropped: () => dropped,
    start(): () => void {
      const stops = [fillChannels({ network, onError }), network.start(), meter.start()];
      return () => {
        for (const each of stops) each();
      };
    },
    run: <T>(task: string, call: () => T): T => main.tasks.run(() => runInfo({ task }), call),
    /** Handles that are open when so much time has passed. */
    open(nowMs = LATER): Record<string, number> {
      network.check();
      meter.check(nowMs);
      tally.flush(main.outbox);
      main.drain();
      return Object.fromEntries([...main.tallies].filter(([, count]) => count !== 0));
    },
  };
}

let main: ReturnType<typeof side>;
let stop: () => void;
beforeEach(() => {
  stop?.();
  main = side();
  stop = main.start();
});
after(() => stop());

function keep<T extends Socket>(socket: T): T {
  opened.push(socket);
  socket.on('error', () => {});
  return socket;
}
const portOf = (of: net.Server): number => (of.address() as AddressInfo).port;
const connect = (): Socket => keep(net.connect(portOf(server)));

test('sockets of every make count once their run has ended and the grace is over, until they are closed', async () => {
  const sockets: Socket[] = [];
  await main.run('leak', async () => {
    sockets.push(connect(), keep(new net.Socket().connect(portOf(server))));
    sockets.push(keep(tls.connect({ port: portOf(server), rejectUnauthorized: false })));
    await once(sockets[0]!, 'connect');
  });
  assert.deepEqual(main.open(performance.now()), {}, 'the grace');
  assert.deepEqual(main.open(), { 'leak socket': 3 });
  assert.equal(main.runs[0]!.extra?.openHandles, 3);
  for (const socket of sockets) socket.destroy();
  assert.deepEqual(main.open(), {});
  assert.deepEqual(main.faults, []);
});

test('what is closed before the end of the run never counts, and leaves no trace', async () => {
  await main.run('tidy', async () => {
    const socket = connect();
    await once(socket, 'connect');
    socket.destroy();
  });
  assert.deepEqual(main.open(), {});
  assert.equal(main.runs[0]!.extra, undefined);
});

test('UDP sockets, servers, child processes and threads count, and stop to when they end', async () => {
  let child!: ChildProcess;
  let thread!: Worker;
  const udp = createSocket('udp4');
  udp.close();
  const kept = main.run('leak', () => {
    child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)']);
    thread = new Worker('setInterval(() => {}, 1e6)', { eval: true });
    return { udp: createSocket('udp4'), server: net.createServer().listen(0) };
  });
  await Promise.all([once(kept.server, 'listening'), once(thread, 'online'), once(child, 'spawn')]);
  assert.deepEqual(main.open(), {
    'leak socket': 1,
    'leak server': 1,
    'leak child_process': 1,
    'leak worker': 1,
  });
  kept.udp.close();
  kept.server.close();
  child.kill('SIGKILL');
  await Promise.all([once(child, 'exit'), thread.terminate()]);
  assert.deepEqual(main.open(), {});
});

test('a child process that could not be started, and one that has ended, do not count', async () => {
  await main.run('tidy', async () => {
    const [missing, short] = [spawn('/nothing/there'), spawn(process.execPath, ['--version'])];
    await Promise.all([once(missing, 'error'), once(short, 'exit')]);
  });
  assert.deepEqual(main.open(), {});
});

test('connections that HTTP clients keep for later do not count', async () => {
  const agent = new http.Agent({ keepAlive: true });
  await main.run('web', async () => {
    await (await fetch(`http://127.0.0.1:${portOf(web)}/`)).text();
    const request = http.get({ port: portOf(web), agent });
    const [response] = await once(request, 'response');
    response.resume();
    await once(response, 'end');
  });
  await new Promise(setImmediate);
  assert.equal(Object.values(agent.freeSockets).flat().length, 1, 'a connection is kept');
  assert.deepEqual(main.open(), {});
  assert.equal(main.runs[0]!.extra?.openHandles, undefined);
  agent.destroy();
});

test("a client's connection that was made in one run and is used by another is shared", async () => {
  let socket!: Socket;
  await main.run('first', async () => {
    socket = connect();
    await once(socket, 'connect');
    socket.write('mine');
  });
  assert.deepEqual(main.open(), { 'first socket': 1 }, 'so far nobody else has used it');
  main.run('second', () => socket.write('ours'));
  assert.deepEqual(main.open(), {});
  assert.equal(Object.hasOwn(socket, 'write'), false, 'and is as it was');
});

test('so is one that was in the clear first and has TLS upon it, which others write to in its place', async () => {
  let socket!: Socket;
  await main.run('first', async () => {
    const below = connect();
    await once(below, 'connect');
    below.write('begin TLS');
    socket = keep(tls.connect({ socket: below, rejectUnauthorized: false }));
    socket.write('mine');
  });
  assert.deepEqual(main.open(), { 'first socket': 1 });
  main.run('second', () => socket.write('ours'));
  assert.deepEqual(main.open(), {});
  assert.deepEqual(main.faults, []);
});

test('one that only the run itself goes on to use stays its own', async () => {
  let socket!: Socket;
  let ping!: () => void;
  await main.run('leak', async () => {
    socket = connect();
    await once(socket, 'connect');
    const beat = new Promise<void>((done) => {
      ping = done;
    });
    void beat.then(() => socket.write('ping'));
  });
  main.open();
  ping();
  await new Promise(setImmediate);
  assert.equal(socket.bytesWritten, 4);
  assert.deepEqual(main.open(), { 'leak socket': 1 });
});

test("what detached work opens after the end of its run is its task's, nested runs have their own", async () => {
  let go!: () => void;
  const gate = new Promise<void>((done) => {
    go = done;
  });
  let late!: Promise<Socket>;
  await main.run('outer', async () => {
    late = gate.then(connect);
    await main.run('inner', async () => void connect());
  });
  go();
  await late;
  assert.deepEqual(main.open(), { 'outer socket': 1, 'inner socket': 1 });
});

test("what is opened outside of runs is nobody's", () => {
  connect();
  assert.deepEqual(main.open(), {});
});

test('a run without end does not collect what it has closed', async () => {
  let go!: () => void;
  const done = main.run('endless', async () => {
    const run = runStorage.getStore()!;
    for (let i = 0; i < 300; i++) {
      const socket = new net.Socket();
      socket.destroy();
      main.meter.opened(run, socket, 'socket');
    }
    assert.ok(run.handles!.length < 100, String(run.handles!.length));
    await new Promise<void>((end) => {
      go = end;
    });
  });
  go();
  await done;
  assert.deepEqual(main.open(), {});
});

test('objects that are frozen or strange do no harm', () => {
  const run = { ended: true, startMs: 0, durationMs: 0, taskId: 0, handles: undefined } as never;
  const hostile = new Proxy(
    {},
    {
      get() {
        throw new Error('do not look');
      },
    },
  );
  main.run('known', () => {});
  main.meter.opened(run, Object.freeze({ destroyed: false, write() {} }), 'socket');
  main.meter.opened(run, undefined, 'socket');
  main.meter.opened(run, hostile, 'worker');
  assert.deepEqual(main.open(), { 'known socket': 1 });
  assert.deepEqual(main.faults, []);
});

test('what is one too many to be looked after is told', () => {
  const run = { ended: true, startMs: 0, durationMs: 0, taskId: 0, handles: undefined } as never;
  main.run('known', () => {});
  for (let i = 0; i < 10_002; i++)
    main.meter.opened(run, Object.freeze({ destroyed: false, write() {} }), 'socket');
  assert.equal(main.dropped(), 2);
  assert.deepEqual(main.open(), { 'known socket': 10_000 });
});
