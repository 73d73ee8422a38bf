import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Redis } from 'ioredis';
import { Asynq } from '../../helpers/asynq.ts';
import { asynqBinary } from '../../helpers/go-programs.ts';
import { startRedis } from '../../helpers/redis.ts';
import { startServer } from '../../helpers/server-process.ts';
import { dumpRedis } from '../../queues/asynq/redis-dump.ts';

/**
 * `node test/interop/asynq/record.ts` writes test/queues/fixtures/asynq/*.json anew: what real workers of asynq leave in Redis, while
 * tasks are in flight. What the tests of the fixtures expect is said there.
 */
const FOLDER = resolve(import.meta.dirname, '../../queues/fixtures/asynq');
const SECRET = 'top-secret';

async function record(name: string, run: (port: number, redis: Redis) => Promise<() => Promise<void>>) {
  const server = await startRedis();
  const redis = new Redis(server.url);
  const end = await run(server.port, redis);
  const [seconds = 0, micros = 0] = (await redis.time()).map(Number);
  const dump = await dumpRedis(redis);
  const recorded = { timeMs: seconds * 1000 + Math.floor(micros / 1000), keys: dump };
  writeFileSync(resolve(FOLDER, `${name}.json`), `${JSON.stringify(recorded, null, 1)}\n`);
  await end();
  redis.disconnect();
  await server.stop();
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 30_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within 30 s: ${what}`);
    await new Promise((later) => setTimeout(later, 100));
  }
}

await record('v0.26', async (port, redis) => {
  const asynq = await Asynq.on({ port } as never);
  await asynq.enqueue(
    {
      type: 'stubborn:report',
      queue: 'critical',
      id: 'in-flight',
      timeout: 60_000,
      payload: { ms: 30_000, pad: SECRET },
    },
    { type: 'fail:mail', queue: 'critical', id: 'retry', payload: { error: 'smtp: 550', pad: SECRET } },
    { type: 'archive:pdf', queue: 'low:{x}', id: 'dead', payload: { error: 'no such file', pad: SECRET } },
    { type: 'ok', queue: 'low:{x}', id: 'later', processIn: 3_600_000, payload: { pad: SECRET } },
    { type: 'ok', queue: 'critical', id: 'kept', retention: 3_600_000, payload: { pad: SECRET } },
    { type: 'ok', queue: 'critical', id: 'grouped', group: 'g', payload: { pad: SECRET } },
    { type: 'ok', queue: 'nobody', id: 'waits-1', payload: { pad: SECRET } },
    { type: 'ok', queue: 'nobody', id: 'waits-2', payload: { pad: SECRET } },
  );
  const worker = asynq.worker('-concurrency', '3', '-queues', 'critical=6,low:{x}=1', '-retry-delay', '1h');
  const scheduler = asynq.scheduler('-spec', '@every 1s', '-type', 'ok:tick', '-queue', 'nobody');
  await until('all is there', async () => {
    const keys = await redis.keys('asynq:{*}:*');
    const has = (part: string) => keys.some((key) => key.endsWith(part));
    const hash = (await redis.keys('asynq:workers:{*'))[0];
    const schedule = (await redis.keys('asynq:schedulers:{*'))[0];
    return (
      ['retry', 'archived', 'completed', 'lease'].every(has) && hash !== undefined && schedule !== undefined
    );
  });
  return async () => {
    await scheduler.stop();
    await worker.stop('SIGKILL');
  };
});

await record('v0.18', async (port, redis) => {
  const worker = startServer(await asynqBinary('asynq-0.18'), [`127.0.0.1:${port}`]);
  await until('two in flight', async () => {
    const hash = (await redis.keys('asynq:workers:{*'))[0];
    return (
      hash !== undefined && (await redis.hlen(hash)) === 2 && (await redis.zcard('asynq:{old}:retry')) === 1
    );
  });
  return () => worker.stop('SIGKILL');
});
