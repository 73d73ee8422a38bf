import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { Redis } from 'ioredis';
import { createAsynq } from '../../../src/queues/asynq/asynq.ts';
import type { Command } from '../../../src/queues/system.ts';
import { type RedisServer, startRedis } from '../../helpers/redis.ts';
import { converse } from './converse.ts';
import { beat } from './fake-server.ts';

let server: RedisServer;
let redis: Redis;
before(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
});
after(async () => {
  redis.disconnect();
  await server.stop();
});
beforeEach(() => redis.flushall());

/** s since the Unix epoch, by Redis. */
const seconds = async () => Number((await redis.time())[0]);

function instance() {
  const system = createAsynq();
  const reader = system.instance('asynq');
  return {
    reader,
    /** Polls, and gives values by queue, metric and attributes. */
    async poll(nowS: number, commands: Command[] = []): Promise<Record<string, number>> {
      const readings = await converse(redis, reader.poll(nowS * 1000), commands);
      return Object.fromEntries(
        readings.map(({ queue, metric, attributes, value }) => [
          [queue?.name, metric, ...Object.values(attributes)].filter((each) => each !== undefined).join(' '),
          value,
        ]),
      );
    },
  };
}

test('servers of one process are one worker; a queue has all that serve it', async () => {
  const now = await seconds();
  await beat(redis, 'a', {
    now,
    concurrency: 10,
    queues: { high: 5, low: 1 },
    tasks: { t1: { type: 'x', queue: 'high' } },
  });
  await beat(redis, 'b', { now, concurrency: 5, queues: { low: 3 }, strictPriority: true });
  await beat(redis, 'c', {
    now,
    host: 'h2',
    concurrency: 1,
    queues: { low: 2 },
    active: 1,
    tasks: { t2: { type: 'x', queue: 'low' } },
  });
  const readings = await instance().poll(now);
  assert.equal(readings['queue.worker.capacity h1 7'], 15);
  assert.equal(readings['queue.worker.active h1 7'], 1);
  assert.equal(readings['queue.worker.capacity h2 7'], 1);
  assert.equal(readings['queue.worker.status h1 7 active'], 1);
  assert.equal(readings['high queue.worker.tasks h1 7 x'], 1);
  assert.equal(readings['low queue.workers'], 3);
  assert.equal(readings['low queue.capacity'], 16);
  assert.equal(readings['low queue.saturation'], 2 / 16);
  assert.equal(readings['low queue.weight'], 1);
  assert.equal(readings['low queue.strict_priority'], 1);
  assert.equal(readings['high queue.strict_priority'], 0);
});

test('ages count by the clock of the server that took the task, however wrong it is', async () => {
  const now = await seconds();
  const wrong = now - 1200;
  await beat(redis, 'a', {
    now: wrong,
    tasks: { t: { type: 'x', queue: 'q', started: wrong - 30, deadline: wrong + 5 } },
  });
  const readings = await instance().poll(now);
  assert.ok(Math.abs(readings['q task.active.oldest x']! - 30) < 3, `${readings['q task.active.oldest x']}`);
  assert.equal(readings['q task.active.deadline x near'], 1);
  assert.equal(readings['q task.active.deadline x over'], 0);
});

test('near and over the deadline', async () => {
  const now = await seconds();
  const task = (started: number, deadline: number) => ({
    type: 'x',
    queue: 'q',
    started: now + started,
    deadline: now + deadline,
  });
  await beat(redis, 'a', {
    now,
    tasks: { fine: task(-10, 90), near: task(-81, 19), over: task(-100, -1), none: task(-10, -now) },
  });
  const readings = await instance().poll(now);
  assert.equal(readings['q task.active x'], 4);
  assert.equal(readings['q task.active.deadline x near'], 1);
  assert.equal(readings['q task.active.deadline x over'], 1);
});

test('a task that leaves the list after its deadline was given up, one that leaves before was not', async () => {
  const now = await seconds();
  const { poll } = instance();
  const tasks = {
    stubborn: { type: 'stubborn', queue: 'q', started: now - 60, deadline: now + 3 },
    ended: { type: 'ended', queue: 'q', started: now - 60, deadline: now + 300 },
    short: { type: 'short', queue: 'q', started: now - 2, deadline: now + 3 },
  };
  await beat(redis, 'a', { now, tasks });
  assert.equal((await poll(now))['q task.deadline.exceeded stubborn'], 0);
  await beat(redis, 'a', { now: now + 5, tasks: {} });
  const readings = await poll(now + 5);
  assert.equal(readings['q task.deadline.exceeded stubborn'], 1);
  assert.equal(readings['q task.deadline.exceeded ended'], 0);
  assert.equal(readings['q task.deadline.exceeded short'], undefined);
});

test('tasks of a server that is gone are lost until somebody else has them', async () => {
  const now = await seconds();
  const { poll, reader } = instance();
  await beat(redis, 'a', {
    now,
    tasks: { t1: { type: 'x', queue: 'q' }, t2: { type: 'x', queue: 'q' }, t3: { type: 'y', queue: 'q' } },
  });
  for (const id of ['t1', 't2']) await redis.hset(`asynq:{q}:t:${id}`, 'state', 'active');
  await redis.hset('asynq:{q}:t:t3', 'state', 'pending');
  await poll(now);
  await redis.del('asynq:servers:{h1:7:a}', 'asynq:workers:{h1:7:a}');
  assert.equal((await poll(now + 12))['q task.lost x h1 7'], 2);
  const runs = reader.runsFor({ task_name: 'x', host_name: 'h1', process_pid: '7' });
  assert.deepEqual(runs.map(({ jobId, active }) => [jobId, active]).sort(), [
    ['t1', false],
    ['t2', false],
  ]);
  assert.ok(runs.every(({ ageMs }) => ageMs >= 20_000));
  await redis.hset('asynq:{q}:t:t1', 'state', 'retry');
  assert.equal((await poll(now + 17))['q task.lost x h1 7'], 1);
  await beat(redis, 'b', { now: now + 20, pid: 8, tasks: { t2: { type: 'x', queue: 'q' } } });
  const readings = await poll(now + 22);
  assert.equal(readings['q task.lost x h1 7'], undefined);
  assert.equal(readings['q task.active x'], 1);
});

test('a list of tasks that lapses between two commands of a poll has not ended', async () => {
  const now = await seconds();
  // Descriptions are read again with every twelfth poll.
  for (const polls of [1, 12]) {
    await redis.flushall();
    const { poll } = instance();
    await beat(redis, 'a', { now, tasks: { t1: { type: 'x', queue: 'q' } } });
    await redis.hset('asynq:{q}:t:t1', 'state', 'active');
    for (let n = 0; n < polls; n++) await poll(now);
    await redis.del('asynq:workers:{h1:7:a}');
    assert.equal((await poll(now + 9))['q task.active x'], 1);
    await redis.del('asynq:servers:{h1:7:a}');
    assert.equal((await poll(now + 12))['q task.lost x h1 7'], 1, `after ${polls} polls`);
  }
});

test('a member whose server is gone is asked for once', async () => {
  const now = await seconds();
  const { poll } = instance();
  await redis.zadd('asynq:servers', now + 10, 'asynq:servers:{h:1:dead}');
  const asked = async () => {
    const commands: Command[] = [];
    await poll(now, commands);
    return commands.filter(([name]) => name === 'GET').length;
  };
  assert.equal(await asked(), 1);
  assert.equal(await asked(), 0);
  await redis.zadd('asynq:servers', now + 20, 'asynq:servers:{h:1:dead}');
  assert.equal(await asked(), 1);
});

test('descriptions are read once in a while, large ones never, and what cannot be read is counted', async () => {
  const now = await seconds();
  const { poll } = instance();
  const tasks = {
    small: { type: 'small', queue: 'q' },
    large: { type: 'large', queue: 'q', payload: Buffer.alloc(100_000) },
    broken: Buffer.from([0x2a, 0xff]),
  };
  await beat(redis, 'a', { now, tasks });
  const first: Command[] = [];
  const readings = await poll(now, first);
  assert.equal(readings['q task.active small'], 1);
  assert.equal(readings['q task.active large'], undefined);
  assert.equal(readings['queue.worker.unread h1 7'], 2);
  assert.deepEqual(
    first
      .filter(([name]) => name === 'HGET')
      .map(([, , id]) => id)
      .sort(),
    ['broken', 'small'],
  );
  const second: Command[] = [];
  assert.equal((await poll(now, second))['q task.active small'], 1);
  assert.equal(second.filter(([name]) => name === 'HGET' || name === 'HSTRLEN').length, 0);
});

test('a task that was retried at once has its new start within a minute', async () => {
  const now = await seconds();
  const { poll } = instance();
  await beat(redis, 'a', { now, tasks: { t: { type: 'x', queue: 'q', started: now - 100 } } });
  assert.equal((await poll(now))['q task.active.oldest x'], 100);
  await beat(redis, 'a', { now, tasks: { t: { type: 'x', queue: 'q', started: now } } });
  const ages = [];
  for (let i = 0; i < 12; i++) ages.push((await poll(now))['q task.active.oldest x']);
  assert.deepEqual(ages.slice(-2), [100, 0]);
});

test('types beyond the cap fold into other', async () => {
  const now = await seconds();
  const tasks = Object.fromEntries(
    Array.from({ length: 250 }, (_, i) => [`t${i}`, { type: `type-${i}`, queue: 'q' }]),
  );
  await beat(redis, 'a', { now, concurrency: 250, tasks });
  const readings = await instance().poll(now);
  const types = Object.keys(readings).filter((key) => key.startsWith('q task.active '));
  assert.equal(types.length, 201);
  assert.equal(readings['q task.active other'], 50);
});

test('a server with too many tasks is counted, not listed', async () => {
  const now = await seconds();
  await beat(redis, 'a', { now, concurrency: 9000, active: 9000 });
  const commands: Command[] = [];
  const readings = await instance().poll(now, commands);
  assert.equal(readings['queue.worker.active h1 7'], 9000);
  assert.equal(readings['queue.worker.unread h1 7'], 9000);
  assert.ok(!commands.some(([name]) => name === 'HKEYS'));
});

test('keys of another type make their figures unknown, and no others', async () => {
  const now = await seconds();
  await beat(redis, 'good', { now, pid: 1, tasks: { t: { type: 'x', queue: 'q' } } });
  await beat(redis, 'list', { now, pid: 2, active: 1 });
  await redis.set('asynq:workers:{h1:2:list}', 'no hash');
  await redis.zadd(
    'asynq:servers',
    now + 10,
    'asynq:servers:{h1:3:hash}',
    now + 10,
    'asynq:servers:{h1:4:text}',
  );
  await redis.hset('asynq:servers:{h1:3:hash}', 'a', 'b');
  await redis.set('asynq:servers:{h1:4:text}', 'no protobuf');
  await redis.set('asynq:schedulers', 'no zset');
  const readings = await instance().poll(now);
  assert.equal(readings['q task.active x'], 1);
  assert.equal(readings['queue.worker.unread h1 2'], 1);
  assert.equal(readings['queue.worker.capacity h1 3'], undefined);
  assert.equal(readings['queue.worker.capacity h1 4'], undefined);
  assert.equal(readings['queue.schedulers'], undefined);
  await redis.del('asynq:servers');
  await redis.set('asynq:servers', 'no zset');
  assert.deepEqual(Object.keys(await instance().poll(now)), []);
});

test('only reads', async () => {
  const now = await seconds();
  await beat(redis, 'a', { now, tasks: { t: { type: 'x', queue: 'q' } } });
  await redis.zadd('asynq:{q}:archived', now, 'dead');
  const commands: Command[] = [];
  await redis.hset('asynq:{q}:t:dead', 'msg', 'x');
  await redis.sadd('asynq:{q}:groups', 'g');
  await redis.lpush('asynq:{q}:pending', 'p');
  const { poll } = instance();
  const reader = createAsynq().reader({ prefix: 'asynq', name: 'q' });
  for (let i = 0; i < 10; i++) {
    await poll(now, commands);
    await converse(redis, reader.poll(now * 1000), commands);
  }
  const used = new Set(commands.map(([name]) => name));
  for (const name of used) {
    const [[, , flags]] = (await redis.call('COMMAND', 'INFO', name)) as [[string, number, string[]]];
    assert.ok(flags.includes('readonly') && !flags.includes('write'), name);
  }
  assert.ok(used.size >= 14, `${[...used]}`);
});
