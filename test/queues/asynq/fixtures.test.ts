import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { Redis } from 'ioredis';
import { createAsynq } from '../../../src/queues/asynq/asynq.ts';
import { AsynqInstanceReader } from '../../../src/queues/asynq/instance-reader.ts';
import { type RedisServer, startRedis } from '../../helpers/redis.ts';
import { converse } from './converse.ts';
import { loadRedis, type RedisDump } from './redis-dump.ts';

/** What real workers left in Redis, see test/interop/asynq/record.ts. The clock is that of the recording. */
const recorded = (version: string): { timeMs: number; keys: RedisDump } =>
  JSON.parse(readFileSync(resolve(import.meta.dirname, `../fixtures/asynq/${version}.json`), 'utf8'));

for (const version of ['v0.26', 'v0.18']) {
  suite(`asynq ${version}`, () => {
    const { timeMs, keys } = recorded(version);
    let server: RedisServer;
    let redis: Redis;
    const system = createAsynq();
    const attributesOf = (attributes: object) => Object.values(attributes).join(' ');

    /** Value by metric and attributes, after the polls that a slow figure may need. */
    async function queue(name: string): Promise<Record<string, number>> {
      const reader = system.reader({ prefix: 'asynq', name });
      for (let i = 0; i < 9; i++) await converse(redis, reader.poll(timeMs));
      const readings = await converse(redis, reader.poll(timeMs));
      return Object.fromEntries(
        readings.map((r) => [`${r.metric} ${attributesOf(r.attributes)}`.trim(), r.value]),
      );
    }

    before(async () => {
      server = await startRedis();
      redis = new Redis(server.url);
      await loadRedis(redis, keys);
    });
    after(async () => {
      redis.disconnect();
      await server.stop();
    });

    if (version === 'v0.26') {
      test('queues are found', async () => {
        const { found, complete } = await converse(redis, system.discovery('asynq').step());
        assert.deepEqual(found.map(({ name }) => name).sort(), ['critical', 'low:{x}', 'nobody']);
        assert.ok(complete);
      });

      test('a queue with tasks in every state', async () => {
        const { 'queue.scheduled.overdue': overdue, ...rest } = await queue('critical');
        assert.deepEqual(rest, {
          'queue.depth ready': 0,
          'queue.depth active': 1,
          'queue.depth scheduled': 0,
          'queue.depth retry': 1,
          'queue.depth dead': 0,
          'queue.depth completed': 1,
          'queue.depth aggregating': 1,
          'queue.groups': 1,
          'queue.ready.oldest': 0,
          'queue.active.orphaned': 0,
          'queue.tasks.processed': 2,
          'queue.tasks.failed': 1,
          'queue.paused': 0,
          'queue.failures.errors retry': 1,
          'task.failures.sampled retry fail:mail': 1,
        });
        assert.equal(overdue, 0);
      });

      test('a queue with braces and a colon in its name', async () => {
        const readings = await queue('low:{x}');
        assert.equal(readings['queue.depth dead'], 1);
        assert.equal(readings['queue.depth scheduled'], 1);
        assert.equal(readings['queue.tasks.processed'], 1);
        assert.equal(readings['task.failures.sampled dead archive:pdf'], 1);
        assert.equal(readings['queue.failures.errors dead'], 1);
      });

      test('the age of the oldest pending task is what its hash says', async () => {
        const since = Number(await redis.hget('asynq:{nobody}:t:waits-1', 'pending_since')) / 1e6;
        const age = (await queue('nobody'))['queue.ready.oldest'];
        assert.ok(Math.abs(age! - (timeMs - since) / 1000) < 0.001, `${age}`);
      });

      test('the server, its task in flight, and the schedule', async () => {
        const readings = await instance();
        assert.equal(readings['queue.worker.capacity'], 3);
        assert.equal(readings['queue.worker.active'], 1);
        assert.equal(readings['queue.worker.unread'], 0);
        assert.equal(readings['critical queue.capacity'], 3);
        assert.equal(readings['critical queue.weight'], 6);
        assert.equal(readings['low:{x} queue.weight'], 1);
        assert.equal(readings['critical queue.strict_priority'], 0);
        assert.ok(Math.abs(readings['critical queue.saturation']! - 1 / 3) < 1e-9);
        assert.equal(readings['critical task.active stubborn:report'], 1);
        const age = readings['critical task.active.oldest stubborn:report']!;
        assert.ok(age > 0 && age < 30, `${age}`);
        assert.equal(readings['critical queue.active.oldest'], age);
        assert.equal(readings['queue.schedulers'], 1);
        assert.equal(readings['queue.schedule.overdue ok:tick'], 0);
        const [run, ...others] = system.runsFor({ task_name: 'stubborn:report' });
        assert.deepEqual(
          [run?.jobId, run?.queue, run?.active, others.length],
          ['in-flight', 'critical', true, 0],
        );
      });
    } else {
      test('counts of the day, no age and no leases', async () => {
        const readings = await queue('old');
        assert.equal(readings['queue.depth active'], 1);
        assert.equal(readings['queue.depth retry'], 1);
        assert.equal(readings['queue.depth scheduled'], 1);
        assert.equal(readings['queue.tasks.processed'], 1);
        assert.equal(readings['queue.tasks.failed'], 1);
        assert.equal(readings['queue.active.orphaned'], undefined);
        const older = await queue('older');
        assert.equal(older['queue.depth ready'], 1);
        assert.equal(older['queue.ready.oldest'], undefined);
      });

      test('tasks in flight with their type', async () => {
        const readings = await instance();
        assert.equal(readings['old task.active block:1'], 1);
        assert.equal(readings['older task.active block:2'], 1);
      });
    }

    async function instance(): Promise<Record<string, number>> {
      const reader = system.instance('asynq');
      assert.ok(reader instanceof AsynqInstanceReader);
      let readings = await converse(redis, reader.poll(timeMs));
      for (let i = 0; i < 2; i++) readings = await converse(redis, reader.poll(timeMs));
      return Object.fromEntries(
        readings.map(({ queue, metric, attributes, value }) => {
          const { 'host.name': _host, 'process.pid': _pid, ...own } = attributes;
          return [`${queue?.name ?? ''} ${metric} ${attributesOf(own)}`.trim(), value];
        }),
      );
    }

    test('no payload is in anything that is kept or told', async () => {
      const reader = system.instance('asynq');
      const readings = await converse(redis, reader.poll(timeMs));
      const told = JSON.stringify([readings, reader.runsFor({})], (_, value) =>
        value instanceof Map ? [...value] : value,
      );
      assert.doesNotMatch(told, /top-secret/);
    });
  });
}
