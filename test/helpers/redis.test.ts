import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { startRedis } from './redis.ts';

const HELPER = fileURLToPath(new URL('./redis.ts', import.meta.url));

/** Resolves when nothing listens on `port` any more; fails after 10 s. */
async function gone(port: number): Promise<void> {
  for (let i = 0; i < 500; i++) {
    const client = new Redis(port, '127.0.0.1', { lazyConnect: true, retryStrategy: null });
    client.on('error', () => {});
    try {
      await client.connect();
      client.disconnect();
    } catch {
      return;
    }
    await delay(20);
  }
  assert.fail(`a server still listens on ${port}`);
}

test('two servers at once hold different data and stop for good', async () => {
  const [a, b] = await Promise.all([startRedis(), startRedis()]);
  const clients = [new Redis(a.url), new Redis(b.url)] as const;
  await clients[0].set('key', 'a');
  assert.equal(await clients[0].get('key'), 'a');
  assert.equal(await clients[1].get('key'), null);
  const [, dir] = (await clients[0].config('GET', 'dir')) as [string, string];
  for (const client of clients) client.disconnect();
  await Promise.all([a.stop(), b.stop()]);
  await a.stop();
  assert.ok(!existsSync(dir), 'the folder is gone');
  await gone(a.port);
  await gone(b.port);
});

test('a snapshot is loaded before the server counts as started', async () => {
  const first = await startRedis();
  const writer = new Redis(first.url);
  await writer.set('kept', 'yes');
  await writer.save();
  const [, dir] = (await writer.config('GET', 'dir')) as [string, string];
  const second = await startRedis({ rdb: `${dir}/dump.rdb` });
  const reader = new Redis(second.url);
  assert.equal(await reader.get('kept'), 'yes');
  writer.disconnect();
  reader.disconnect();
  await Promise.all([first.stop(), second.stop()]);
});

test('the server ends with the process that started it, even by SIGKILL, and does not keep it alive', async () => {
  const script = (tail: string) =>
    `const { startRedis } = await import(${JSON.stringify(HELPER)});
     const { port } = await startRedis(); process.stdout.write(port + '\\n'); ${tail}`;
  for (const [tail, signal] of [
    ['setInterval(() => {}, 1000)', 'SIGKILL'],
    ['', null],
  ] as const) {
    const temporary = mkdtempSync(join(tmpdir(), 'taskwarden-test-'));
    const child = spawn(process.execPath, ['--input-type=module', '-e', script(tail)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, TMPDIR: temporary },
    });
    const exited = once(child, 'exit');
    const [port] = await once(child.stdout, 'data');
    if (signal !== null) child.kill(signal);
    assert.deepEqual(await exited, signal === null ? [0, null] : [null, signal]);
    await gone(Number(port));
    for (let i = 0; i < 500 && readdirSync(temporary).length > 0; i++) await delay(20);
    rmdirSync(temporary); // fails where the server's folder is left
  }
});

test('says how to install redis-server where it is absent', async () => {
  const path = process.env.PATH;
  process.env.PATH = '/nonexistent';
  try {
    await assert.rejects(startRedis(), /redis-server is not on PATH.*apt-get install redis-server/);
  } finally {
    process.env.PATH = path;
  }
});

test('shows what redis-server said when it refuses to start', async () => {
  await assert.rejects(startRedis({ args: ['--no-such-option', '1'] }), /no-such-option/);
});
