import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface DemoRedis {
  readonly url: string;
  stop(): void;
}

/** TASKWARDEN_REDIS_URL, else a redis-server of our own on a free port, installed by apt-get where that may be done. */
export async function demoRedis(): Promise<DemoRedis> {
  const given = process.env.TASKWARDEN_REDIS_URL;
  if (given !== undefined && given !== '') return { url: given, stop() {} };
  if (!isInstalled()) install();
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'taskwarden-demo-'));
  const server = spawn(
    'redis-server',
    ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.once('exit', (code) => reject(new Error(`redis-server ended with code ${code}`)));
    server.stdout.on('data', (chunk: Buffer) => {
      if (chunk.includes('Ready to accept connections')) resolve();
    });
  });
  return {
    url: `redis://127.0.0.1:${port}`,
    stop() {
      server.removeAllListeners('exit');
      server.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function isInstalled(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function install(): void {
  if (process.getuid?.() === 0) {
    console.log('Installing redis-server with apt-get (the demo needs a Redis) …');
    try {
      execFileSync('apt-get', ['update', '-qq'], { stdio: ['ignore', 'ignore', 'inherit'] });
      execFileSync('apt-get', ['install', '-y', '-qq', 'redis-server'], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      return;
    } catch {
      // Said below.
    }
  }
  throw new Error(
    'the demo needs a Redis: install one (sudo apt-get install redis-server), or name one in TASKWARDEN_REDIS_URL=redis://…',
  );
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
