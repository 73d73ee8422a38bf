import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cluster, Redis } from 'ioredis';
import { createClient } from 'redis';
import { targetOf } from '../../src/instrument/redis-connection.ts';

const plain = { mode: 'standalone', db: 0, readFrom: 'primary' } as const;

test('options of ioredis, and what stands for them', () => {
  assert.deepEqual(targetOf({}), { ...plain, nodes: [{ host: '127.0.0.1', port: 6379 }] });
  assert.deepEqual(targetOf({ host: 'h', port: '7000', db: 3, username: 'u', password: 'p', tls: true }), {
    ...plain,
    nodes: [{ host: 'h', port: 7000 }],
    db: 3,
    username: 'u',
    password: 'p',
    tls: {},
  });
  assert.deepEqual(targetOf({ path: '/run/redis.sock' }), { ...plain, nodes: [], path: '/run/redis.sock' });
  assert.deepEqual(targetOf({ sentinels: [{ host: 's' }], name: 'main' }), {
    ...plain,
    mode: 'sentinel',
    nodes: [{ host: 's', port: 26379 }],
    master: 'main',
  });
  assert.equal(targetOf({ url: 'redis://host/1' }), 'redis://host/1');
  const tls = { ca: Buffer.from('PEM'), servername: 'redis', rejectUnauthorized: false };
  assert.deepEqual((targetOf({ host: 'h', tls }) as { tls: unknown }).tls, { ...tls, ca: 'PEM' });
});

test('clients and clusters of ioredis', (t) => {
  const client = new Redis('redis://u:p@host:7001/2', { lazyConnect: true });
  t.after(() => client.disconnect());
  assert.deepEqual(targetOf(client), {
    ...plain,
    nodes: [{ host: 'host', port: 7001 }],
    db: 2,
    username: 'u',
    password: 'p',
  });
  const cluster = new Cluster([{ host: 'a', port: 1 }], {
    lazyConnect: true,
    redisOptions: { password: 'p', tls: {} },
  });
  t.after(() => cluster.disconnect());
  assert.deepEqual(targetOf(cluster), {
    ...plain,
    mode: 'cluster',
    nodes: [{ host: 'a', port: 1 }],
    password: 'p',
    tls: {},
  });
});

test('clients of node-redis', () => {
  const client = createClient({
    url: 'rediss://u:p@host:7001/2',
    socket: { tls: true, ca: 'PEM', rejectUnauthorized: false, connectTimeout: 9 },
  });
  assert.deepEqual(targetOf(client), {
    ...plain,
    nodes: [{ host: 'host', port: 7001 }],
    db: 2,
    username: 'u',
    password: 'p',
    tls: { ca: 'PEM', rejectUnauthorized: false },
  });
  const own = { tls: true, checkServerIdentity: () => undefined } as const;
  assert.equal(targetOf(createClient({ socket: own })), undefined);
  assert.deepEqual(targetOf(createClient({ socket: { path: '/run/redis.sock', tls: false } })), {
    ...plain,
    nodes: [],
    path: '/run/redis.sock',
  });
  assert.deepEqual(targetOf(createClient()), { ...plain, nodes: [{ host: '127.0.0.1', port: 6379 }] });
});

test('adapters of Valkey GLIDE clients', () => {
  const adapter = (options: object, isCluster = false) => ({ options, isCluster, defineCommand() {} });
  const addresses = [{ host: 'a' }, { host: 'b', port: 7000 }];
  const nodes = [
    { host: 'a', port: 6379 },
    { host: 'b', port: 7000 },
  ];
  const credentials = { username: 'u', password: 'p' };
  assert.deepEqual(
    targetOf(adapter({ addresses: addresses.slice(1), databaseId: 2, useTLS: true, credentials })),
    { ...plain, nodes: nodes.slice(1), db: 2, ...credentials, tls: {} },
  );
  assert.deepEqual(targetOf(adapter({ addresses }, true)), { ...plain, mode: 'cluster', nodes });
  assert.equal(targetOf(adapter({ addresses })), undefined);
  assert.equal(
    targetOf(adapter({ addresses: [{}], credentials: { username: 'u', iamConfig: {} } })),
    undefined,
  );
  assert.equal(targetOf(adapter({ addresses: [{}], useTLS: true, advancedConfiguration: {} })), undefined);
});

test('what cannot be told as plain data is not guessed, and never throws', () => {
  const hostile = new Proxy(
    {},
    {
      get() {
        throw new Error('no');
      },
    },
  );
  for (const connection of [
    undefined,
    null,
    'redis://x',
    hostile,
    { host: 'h', tls: { checkServerIdentity: () => undefined } },
    { host: 'h', tls: { secureContext: {} } },
    { host: 'h', natMap: { 'a:1': { host: 'b', port: 2 } } },
    { isCluster: true, startupNodes: ['redis://a:1'] },
  ])
    assert.equal(targetOf(connection), undefined);
});
