import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { Cluster, Redis } from 'ioredis';
import { createAsynq } from '../../src/queues/asynq/asynq.ts';
import { bullmq } from '../../src/queues/bullmq.ts';
import { elements } from '../../src/queues/reply.ts';
import type { Poll } from '../../src/queues/system.ts';
import { parseTarget } from '../../src/queues/target.ts';
import { makeCertificates, opensslMissing } from '../helpers/certificates.ts';
import { freePort } from '../helpers/free-port.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';
import { startServer } from '../helpers/server-process.ts';
import { watching } from '../queues/watching.ts';

const depthOf = (name: string) => ({ 'messaging.destination.name': name, 'queue.state': 'ready' });

async function started(
  t: TestContext,
  args: readonly string[],
): Promise<{ server: RedisServer; redis: Redis }> {
  const server = await startRedis({ args });
  const redis = new Redis(server.url, { retryStrategy: () => null });
  redis.on('error', () => {});
  t.after(() => {
    redis.disconnect();
    return server.stop();
  });
  return { server, redis };
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 30_000;
  while (!(await holds())) {
    assert.ok(Date.now() < end, what);
    await delay(50);
  }
}

async function cluster(t: TestContext): Promise<{ server: RedisServer; redis: Redis }[]> {
  const nodes = await Promise.all([1, 2].map(() => started(t, ['--cluster-enabled', 'yes'])));
  const [first, second] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
  await first.redis.call('CLUSTER', 'ADDSLOTSRANGE', 0, 8191);
  await second.redis.call('CLUSTER', 'ADDSLOTSRANGE', 8192, 16_383);
  await first.redis.call('CLUSTER', 'MEET', '127.0.0.1', second.server.port);
  for (const { redis } of nodes)
    await until('the cluster is formed', async () =>
      String(await redis.call('CLUSTER', 'INFO')).includes('cluster_state:ok'),
    );
  return nodes;
}

test('a cluster: queues of every node are found and read; a slot that moves is followed', async (t) => {
  const nodes = await cluster(t);
  const { port } = nodes[0]!.server;
  // One name for each half of the slots.
  const slotOf = async (key: string) => Number(await nodes[0]!.redis.call('CLUSTER', 'KEYSLOT', key));
  const names: string[] = [];
  for (const half of [0, 1])
    for (let i = 0; names.length === half; i++)
      if (Math.floor((await slotOf(`bull:{q${i}}:id`)) / 8192) === half) names.push(`{q${i}}`);
  const connection = new Cluster([{ host: '127.0.0.1', port }]);
  t.after(() => connection.disconnect());
  const queues = names.map((name) => new Queue(name, { connection }));
  t.after(() => Promise.all(queues.map((queue) => queue.close())));
  for (const queue of queues)
    await queue.addBulk([
      { name: 'a', data: {} },
      { name: 'b', data: {} },
    ]);

  const watch = watching(t, `redis-cluster://127.0.0.1:${port}`, [bullmq], {});
  await watch.poll(8);
  assert.deepEqual(watch.errors, []);
  assert.equal(watch.status(), 'ok');
  for (const name of names) {
    assert.equal(watch.status(name), 'ok');
    assert.equal(watch.value('queue.depth', depthOf(name)), 2);
  }

  const [from, to] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
  const slot = await slotOf(`bull:${names[0]}:id`);
  const id = async ({ redis }: (typeof nodes)[0]) => String(await redis.call('CLUSTER', 'MYID'));
  await to.redis.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', await id(from));
  await from.redis.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', await id(to));
  const keys = (await from.redis.call('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[];
  await from.redis.call('MIGRATE', '127.0.0.1', to.server.port, '', 0, 5000, 'KEYS', ...keys);
  // Half way: keys are at the new node, the slot is not.
  await watch.poll();
  for (const { redis } of [to, from]) await redis.call('CLUSTER', 'SETSLOT', slot, 'NODE', await id(to));
  await watch.poll(8);
  assert.deepEqual(watch.errors, []);
  assert.equal(watch.value('queue.depth', depthOf(names[0]!)), 2);
  await watch.poll(8);
  assert.equal(watch.status(names[0]), 'ok');
});

test('actions in a cluster: whatever node a server listens to hears them, and pauses are where their queues are', async (t) => {
  const nodes = await cluster(t);
  const { port } = nodes[0]!.server;
  const url = `redis-cluster://127.0.0.1:${port}`;
  const client = new Cluster([{ host: '127.0.0.1', port }]);
  t.after(() => client.disconnect());
  const heard = new Set<string>();
  for (const [at, { redis }] of nodes.entries()) {
    const listener = redis.duplicate();
    t.after(() => listener.disconnect());
    listener.on('message', (_, id: string) => heard.add(`${at} ${id}`));
    await listener.subscribe('asynq:cancel');
  }
  const { writes } = createAsynq();
  const queues = ['a', 'b', 'c', 'd', 'e'];
  const slots = await Promise.all(queues.map((name) => nodes[0]!.redis.call('CLUSTER', 'KEYSLOT', name)));
  assert.equal(new Set(slots.map((slot) => Number(slot) > 8191)).size, 2, 'queues on both nodes');
  for (const name of queues) await client.hset(`asynq:{${name}}:t:of-${name}`, 'state', 'active');
  const { watcher, poll } = watching(t, url, [createAsynq()], { target: parseTarget(url, 'replica') });
  await poll();
  for (const name of queues) {
    const queue = { prefix: 'asynq', name };
    const task = { prefix: 'asynq', queue: name, id: `of-${name}`, startedMs: 1 };
    const cancelled = await watcher.write('asynq', 'asynq', (isSingle) => writes.cancel(task, isSingle));
    assert.deepEqual(cancelled, { outcome: 'done' });
    const paused = await watcher.write('asynq', 'asynq', () => writes.pause(queue, Date.now(), 60_000));
    const mark = await client.get(`asynq:{${name}}:paused`);
    assert.deepEqual(paused, { outcome: 'done', mark });
    await watcher.write('asynq', 'asynq', () => writes.resume(queue, mark!));
    assert.equal(await client.exists(`asynq:{${name}}:paused`), 0);
  }
  const all = nodes.flatMap((_, at) => queues.map((name) => `${at} of-${name}`));
  await until('both nodes have told it', async () => all.every((each) => heard.has(each)));
});

test('sentinels: the master is found, also after a failover; a replica may be read from', async (t) => {
  const master = await started(t, []);
  const replica = await started(t, ['--replicaof', `127.0.0.1 ${master.server.port}`]);
  const folder = mkdtempSync(join(tmpdir(), 'taskwarden-sentinel-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const port = await freePort();
  writeFileSync(
    join(folder, 'sentinel.conf'),
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      `sentinel monitor main 127.0.0.1 ${master.server.port} 1`,
      'sentinel down-after-milliseconds main 1000',
      'sentinel failover-timeout main 3000',
    ].join('\n'),
  );
  const process = startServer('redis-server', [join(folder, 'sentinel.conf'), '--sentinel']);
  t.after(() => process.stop('SIGKILL'));
  await process.until('the sentinel is ready', () => process.output().includes('+monitor'));
  const sentinel = new Redis(port, '127.0.0.1');
  t.after(() => sentinel.disconnect());
  await until(
    'the sentinel knows the replica',
    async () => ((await sentinel.call('SENTINEL', 'REPLICAS', 'main')) as unknown[]).length === 1,
  );
  const queue = new Queue('mail', { connection: { host: '127.0.0.1', port: master.server.port } });
  await queue.add('x', {});
  await queue.close();
  const url = `redis-sentinel://127.0.0.1:${port}?master=main`;
  const watch = watching(t, url, [bullmq]);
  await watch.poll();
  assert.equal(watch.status(), 'ok');
  assert.equal(watch.value('queue.depth', depthOf('mail')), 1);
  assert.equal(watch.value('taskwarden.redis.leader', { 'redis.instance': `main@127.0.0.1:${port}/0` }), 1);
  await watch.watcher.stop();

  const reads = watching(t, url, [bullmq], { target: parseTarget(url, 'replica') });
  const asked = async () => /cmdstat_llen:calls=(\d+)/.exec(await replica.redis.info('commandstats'))?.[1];
  assert.equal(await asked(), undefined);
  await until('the replica has the queue', async () => (await replica.redis.exists('bull:mail:wait')) === 1);
  await reads.poll();
  assert.equal(reads.value('queue.depth', depthOf('mail')), 1);
  assert.notEqual(await asked(), undefined);
  assert.equal(await master.redis.exists('taskwarden:lease:{bullmq:bull}'), 1, 'the lease is at the master');
  const role = await reads.watcher.write('bullmq', 'bull', function* (): Poll<string> {
    const [reply] = yield [['ROLE']];
    return String(elements(reply)[0]);
  });
  assert.equal(role, 'master', 'actions, too');
  await reads.watcher.stop();

  const again = watching(t, url, [bullmq]);
  await again.poll();
  await master.server.stop();
  await again.poll();
  assert.notEqual(again.status(), 'ok');
  await until('recovery after the failover', async () => {
    await again.poll();
    return again.status() === 'ok';
  });
  assert.equal(again.value('queue.depth', depthOf('mail')), 1);
});

test('TLS, with a certificate authority of its own and a client certificate', async (t) => {
  const missing = opensslMissing();
  if (missing !== false) {
    t.skip(missing);
    return;
  }
  if (!/--tls/.test(execFileSync('redis-cli', ['--help'], { encoding: 'utf8' }))) {
    t.skip('this Redis is built without TLS');
    return;
  }
  const files = makeCertificates();
  t.after(() => files.remove());
  const tlsPort = await freePort();
  const { server } = await started(t, [
    ...[
      '--tls-port',
      String(tlsPort),
      '--tls-cert-file',
      files.server.cert,
      '--tls-key-file',
      files.server.key,
    ],
    ...['--tls-ca-cert-file', files.ca],
  ]);
  const queue = new Queue('mail', { connection: { host: '127.0.0.1', port: server.port } });
  await queue.add('x', {});
  await queue.close();
  const { ca, client } = files;
  const watch = watching(t, `rediss://127.0.0.1:${tlsPort}?ca=${ca}&cert=${client.cert}&key=${client.key}`, [
    bullmq,
  ]);
  await watch.poll();
  assert.equal(watch.status(), 'ok');
  assert.equal(watch.value('queue.depth', depthOf('mail')), 1);
  await watch.watcher.stop();
  for (const url of [`rediss://127.0.0.1:${tlsPort}`, `rediss://127.0.0.1:${tlsPort}?ca=${ca}`]) {
    const refused = watching(t, url, [bullmq]);
    await refused.poll();
    assert.equal(refused.status(), 'unreachable', url);
  }
});
