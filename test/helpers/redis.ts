import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free-port.ts';

export interface RedisServer {
  readonly port: number;
  /** `redis://127.0.0.1:PORT`. */
  readonly url: string;
  /** Kills the server and removes its folder; resolves when both are gone. May be called twice. */
  stop(): Promise<void>;
}

export interface RedisOptions {
  /** A snapshot (`dump.rdb`) to start from; it is copied, never written to. */
  readonly rdb?: string;
  /** Further redis-server arguments, e.g. `['--maxmemory', '10mb']`. */
  readonly args?: readonly string[];
}

/**
 * Runs redis-server under a shell that ends it and removes its folder as soon as fd 3 is closed, which the kernel does
 * however this process ends, SIGKILL included. Arguments: folder, then those of redis-server.
 */
const GUARDED = `
dir=$1; shift
trap '' PIPE # the shell reports the killed server to a pipe that nobody may read any more
redis-server "$@" 3<&- & server=$!
( read -r _ <&3; kill -KILL $server ) >/dev/null 2>&1 & guard=$!
wait $server; code=$?
kill $guard 2>/dev/null
rm -rf "$dir"
exit $code`;

const READY_WITHIN_MS = 20_000;
const ATTEMPTS = 3;

/**
 * A throwaway redis-server on a free port of 127.0.0.1, in a temporary folder, without persistence. It does not keep the
 * caller alive, and it ends with it.
 *
 * @throws Error when redis-server is not on PATH, or does not start.
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  for (let attempt = 1; ; attempt++) {
    const started = await tryStart(options);
    if ('stop' in started) return started;
    // Between asking for a free port and binding it another process may have taken it.
    if (attempt >= ATTEMPTS || !/bind|listen/i.test(started.output)) {
      throw new Error(`redis-server did not start (exit code ${started.code}):\n${started.output}`);
    }
  }
}

interface Failure {
  readonly code: number | null;
  readonly output: string;
}

async function tryStart({ rdb, args = [] }: RedisOptions): Promise<RedisServer | Failure> {
  const dir = mkdtempSync(join(tmpdir(), 'taskwarden-redis-'));
  if (rdb !== undefined) copyFileSync(rdb, join(dir, 'dump.rdb'));
  const port = await freePort();
  const server = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', ''];
  const child = spawn(
    '/bin/sh',
    ['-c', GUARDED, 'redis-guard', dir, ...server, '--appendonly', 'no', ...args],
    {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    },
  );
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (chunk) => {
      output = (output + chunk).slice(-8000);
    });
  }
  // 'exit', not 'close': a grandchild may hold the pipes a little longer.
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const lifeline = child.stdio[3] as unknown as Socket;
  lifeline.on('error', () => {});

  const deadline = Date.now() + READY_WITHIN_MS;
  while (child.exitCode === null && child.signalCode === null && Date.now() < deadline) {
    if (await answers(port, dir)) {
      child.unref();
      for (const stream of [child.stdout, child.stderr, lifeline]) (stream as unknown as Socket).unref();
      const stop = async () => {
        child.ref();
        lifeline.destroy();
        if (child.exitCode === null && child.signalCode === null) await exited;
      };
      return { port, url: `redis://127.0.0.1:${port}`, stop };
    }
    await delay(15);
  }
  lifeline.destroy();
  const [code] = await exited;
  rmSync(dir, { recursive: true, force: true });
  if (code === 127) {
    throw new Error('redis-server is not on PATH; install it, on Debian with `apt-get install redis-server`');
  }
  return { code, output };
}

/** True when the server in `dir` listens on `port` and has loaded its snapshot; another server's answer is false. */
function answers(port: number, dir: string): Promise<boolean> {
  return new Promise((resolve) => {
    let reply = '';
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\nCONFIG GET dir\r\nQUIT\r\n'));
    socket.setTimeout(2000, () => socket.destroy());
    socket.on('data', (chunk) => {
      reply += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(reply.includes('+PONG') && reply.includes(dir)));
  });
}
