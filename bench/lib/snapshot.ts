import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { startRedis } from '../../test/helpers/redis.ts';

export interface WaitingJob {
  readonly name: string;
  readonly data: unknown;
}

export interface Snapshot {
  /** Path of the `dump.rdb`. */
  readonly path: string;
  remove(): void;
}

const CHUNK = 1000;

/** A Redis snapshot in which those jobs wait in the queue `bench`, so that every run begins with the same data. */
export async function makeSnapshot(jobs: readonly WaitingJob[]): Promise<Snapshot> {
  const folder = mkdtempSync(join(tmpdir(), 'taskwarden-bench-'));
  const path = join(folder, 'dump.rdb');
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  const redis = await startRedis();
  const queue = new Queue('bench', { connection: { host: '127.0.0.1', port: redis.port } });
  for (let at = 0; at < jobs.length; at += CHUNK) await queue.addBulk(jobs.slice(at, at + CHUNK));
  await queue.close();
  const client = new Redis(redis.url);
  await client.set('bench:value', 'x'.repeat(200));
  await client.save();
  const [, source] = (await client.config('GET', 'dir')) as [string, string];
  copyFileSync(join(source, 'dump.rdb'), path);
  client.disconnect();
  await redis.stop();
  return {
    path,
    remove: () => {
      process.removeListener('exit', remove);
      remove();
    },
  };
}
