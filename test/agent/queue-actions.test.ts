import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { Redis } from 'ioredis';
import { cancelTask } from '../../src/agent/queue-actions/cancel.ts';
import { QueuePauses } from '../../src/agent/queue-actions/pauses.ts';
import type { AlertTransition } from '../../src/model/alert.ts';
import { parseTarget } from '../../src/queues/target.ts';
import { QueueWatcher } from '../../src/queues/watcher.ts';
import { Registry } from '../../src/store/registry.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';
import { beat } from '../queues/asynq/fake-server.ts';

const PAUSED = 'asynq:{q}:paused';
const LABELS = { alertname: 'Long', task_name: 'report', messaging_destination_name: 'q' };
let server: RedisServer;
let redis: Redis;
/** A server of asynq, as far as it listens for what is cancelled. */
let listener: Redis;
let heard: string[];
const stops: (() => unknown)[] = [];

before(async () => {
  server = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
  redis = new Redis(server.url);
});
after(async () => {
  redis.disconnect();
  await server.stop();
});
beforeEach(async () => {
  heard = [];
  listener = new Redis(server.url);
  listener.on('message', (_, id: string) => heard.push(id));
  await listener.subscribe('asynq:cancel');
  const now = Number((await redis.time())[0]);
  await redis.sadd('asynq:queues', 'q');
  const task = (started: number) => ({ type: 'report', queue: 'q', started });
  await beat(redis, 'a', { now, tasks: { old: task(now - 90), new: task(now - 60) } });
  for (const id of ['old', 'new']) await redis.hset(`asynq:{q}:t:${id}`, 'state', 'active');
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  listener.disconnect();
  await redis.call('REPLICAOF', 'NO', 'ONE');
  await redis.flushall();
});

/** Ids of the tasks that were asked to be cancelled so far. */
async function cancelled(): Promise<string[]> {
  await listener.ping();
  return heard.sort();
}

interface Watching {
  readonly watcher: QueueWatcher;
  readonly cancel: ReturnType<typeof cancelTask>;
  readonly pauses: QueuePauses;
  /** The next poll that begins from now on has ended. */
  polled(): Promise<void>;
}

async function watch(url = server.url, intervalMs = 1000): Promise<Watching> {
  let next = Promise.withResolvers<void>();
  const registry = new Registry(Date.now(), { maxSeriesPerMetric: 2000 });
  const watcher = new QueueWatcher({
    ...{ registry, intervalMs, leaderless: true, searchSteps: 10 },
    onError: (error) => assert.fail(String(error)),
    onPolled: () => {
      next.resolve();
      next = Promise.withResolvers();
    },
  });
  stops.push(() => watcher.stop());
  const polled = () => next.promise;
  const first = polled();
  await watcher.add(parseTarget(url), { system: 'asynq', queues: ['q'] });
  await first;
  const write: QueueWatcher['write'] = (...given) => watcher.write(...given);
  const placesOf: QueueWatcher['placesOf'] = (...given) => watcher.placesOf(...given);
  return {
    watcher,
    polled,
    cancel: cancelTask(write),
    pauses: new QueuePauses({ write, placesOf, now: Date.now }),
  };
}

function alert(runs: AlertTransition['runs'], over: Partial<AlertTransition> = {}): AlertTransition {
  return {
    ...{
      name: 'Long',
      group: 'g',
      intervalMs: 5000,
      expr: 'x > 1',
      state: 'firing',
      previousState: 'inactive',
    },
    ...{ labels: LABELS, annotations: {}, value: 2, fingerprint: 'ab', at: 5 },
    ...{ activeAt: 1, firedAt: 1, resolvedAt: undefined, runs },
    ...over,
  };
}

test('cancel-task: those in flight are cancelled, once; one that has ended is not', async () => {
  const { watcher, cancel } = await watch();
  const firing = alert(watcher.runsFor(LABELS));
  await redis.hset('asynq:{q}:t:old', 'state', 'retry');
  assert.match(cancel.plan!(firing), /^task old of queue q, task new of queue q would have been cancelled$/);
  const result = await cancel.run(firing, undefined);
  assert.equal(result.message, 'cancelled task new of queue q; task old of queue q ended meanwhile');
  assert.equal(result.outcome, 'done');
  assert.deepEqual(result.attributes?.['taskwarden.action.runs.messaging.message.id'], ['new']);
  assert.equal(result.attributes?.['messaging.message.id'], 'new');
  const again = await cancel.run(firing, undefined);
  assert.deepEqual([again.outcome, await cancelled()], ['refused', ['new']]);
  await redis.hset('asynq:{q}:t:new', 'state', 'archived');
  assert.equal((await cancel.run(firing, undefined)).outcome, 'gone');
  assert.equal((await cancel.run(alert([]), undefined)).outcome, 'gone');
});

test('cancel-task: refused for a run of another library and for an alert without a task', async () => {
  const { watcher, cancel } = await watch();
  const runs = watcher.runsFor(LABELS);
  const job = { ...runs[0]!, framework: 'bullmq', watched: undefined, place: { slot: 1, generation: 1 } };
  const labels = { ...LABELS, messaging_system: 'bullmq' };
  const refused = await cancel.run(alert([job], { labels }), undefined);
  assert.equal(
    refused.message,
    'only tasks of asynq can be cancelled; for a run of bullmq there is abort-run',
  );
  assert.equal(refused.outcome, 'refused');
  const unnamed = await cancel.run(alert(runs, { labels: { alertname: 'Long' } }), undefined);
  assert.equal(unnamed.outcome, 'refused');
  assert.deepEqual(await cancelled(), []);
});

test('cancel-task: tasks that are younger than the rule says are left alone', async () => {
  const { watcher, cancel } = await watch();
  const runs = watcher.runsFor(LABELS);
  for (const [age, outcome] of [
    ['75s', 'done'],
    ['2m', 'refused'],
    ['soon', 'refused'],
  ] as const) {
    const annotations = { taskwarden_action_min_age: age };
    assert.equal((await cancel.run(alert(runs, { annotations }), undefined)).outcome, outcome);
  }
  assert.deepEqual(await cancelled(), ['old']);
});

test('cancel-task: where no server listens it has failed, and may be asked for again', async () => {
  const { watcher, cancel } = await watch();
  const firing = alert(watcher.runsFor({ ...LABELS, redis_instance: `127.0.0.1:${server.port}/0` }));
  await listener.unsubscribe('asynq:cancel');
  const result = await cancel.run(firing, undefined);
  assert.deepEqual([result.outcome, firing.runs.length], ['failed', 2]);
  assert.match(result.message, /no server listens/);
  while ((await redis.keys('taskwarden:cancel:*')).length > 0);
  await listener.subscribe('asynq:cancel');
  assert.equal((await cancel.run(firing, undefined)).outcome, 'done');
  assert.deepEqual(await cancelled(), ['new', 'old']);
  assert.deepEqual(watcher.runsFor({ ...LABELS, redis_instance: 'other:6379/0' }), []);
});

test('of several watchers one acts; the next leader neither does it again nor forgets what was paused', async () => {
  const [first, second] = [await watch(), await watch()];
  const firing = alert(first.watcher.runsFor(LABELS));
  for (const { cancel, pauses } of [second, first]) {
    await cancel.run(firing, undefined);
    await pauses.action.run(firing, undefined);
  }
  assert.deepEqual(await cancelled(), ['new', 'old']);
  const mark = await redis.get(PAUSED);
  const standby = await second.cancel.run(firing, undefined);
  assert.deepEqual([standby.outcome, /another agent/.test(standby.message)], ['refused', true]);

  await first.watcher.stop();
  const ended = await first.pauses.action.end!(firing);
  assert.equal(ended?.outcome, 'refused', 'it leads no more');
  assert.equal(await redis.get(PAUSED), mark);
  while (!(await redis.get('taskwarden:lease:{asynq:asynq}'))) await second.polled();
  await second.polled();
  const again = await second.cancel.run(firing, undefined);
  assert.deepEqual([again.outcome, again.message.includes('cancelled before')], ['refused', true]);
  assert.equal((await second.pauses.action.run(firing, undefined)).outcome, 'done');
  assert.equal(await redis.get(PAUSED), mark);
  assert.equal((await second.pauses.action.end!(firing))?.outcome, 'done');
  assert.equal(await redis.get(PAUSED), null);
  assert.deepEqual(await cancelled(), ['new', 'old']);
});

test('pause-queue: until the last of its alerts ends; without a watcher it ends by itself', async () => {
  const { pauses } = await watch();
  const { action } = pauses;
  const [one, other] = [alert([]), alert([], { fingerprint: 'cd' })];
  assert.equal((await action.run(one, undefined)).outcome, 'done');
  assert.equal((await action.run(other, undefined)).outcome, 'done');
  assert.match((await redis.get(PAUSED))!, /^\d{10} taskwarden$/);
  await redis.pexpire(PAUSED, 20_000);
  await pauses.keep();
  const left = await redis.pttl(PAUSED);
  assert.ok(left > 20_000 && left <= 60_000, `${left}`);
  assert.equal(await action.end!(one), undefined);
  assert.equal(await redis.exists(PAUSED), 1);
  assert.equal((await action.end!(other))?.outcome, 'done');
  assert.equal(await redis.exists(PAUSED), 0);
  assert.equal(await action.end!(other), undefined, 'once');
});

test("pause-queue: another's pause stays, whether it was there before or came later", async () => {
  const { pauses } = await watch();
  const { action } = pauses;
  await redis.set(PAUSED, '1700000000');
  const refused = await action.run(alert([]), undefined);
  assert.deepEqual([refused.outcome, /paused already/.test(refused.message)], ['refused', true]);
  assert.equal(await action.end!(alert([])), undefined);
  assert.equal(await redis.get(PAUSED), '1700000000');

  await redis.del(PAUSED);
  await action.run(alert([]), undefined);
  // Within the same second, as it may be.
  const theirs = (await redis.get(PAUSED))!.split(' ')[0]!;
  await redis.set(PAUSED, theirs);
  assert.equal((await action.end!(alert([])))?.outcome, 'refused');
  assert.equal(await redis.get(PAUSED), theirs);

  await redis.del(PAUSED);
  await action.run(alert([]), undefined);
  await redis.del(PAUSED);
  assert.equal((await action.end!(alert([])))?.outcome, 'gone');
  await action.run(alert([]), undefined);
  await redis.set(PAUSED, theirs);
  await pauses.keep();
  assert.equal(await redis.pttl(PAUSED), -1, 'what is not ours is not kept');
  assert.equal(await action.end!(alert([])), undefined);
});

test('pause-queue: refused for a queue that is not named, not watched here, ambiguous, or of another library', async () => {
  const { watcher, pauses, polled } = await watch();
  const { action } = pauses;
  for (const [labels, why] of [
    [{ alertname: 'x' }, /names no queue/],
    [{ messaging_destination_name: 'other' }, /no queue other of asynq is watched/],
    [{ messaging_destination_name: 'q', redis_instance: 'other:6379/0' }, /no queue q of asynq is watched/],
    [{ messaging_destination_name: 'q', messaging_system: 'bullmq' }, /queues of bullmq/],
  ] as const) {
    const { outcome, message } = await action.run(alert([], { labels }), undefined);
    assert.equal(outcome, 'refused');
    assert.match(message, why);
  }
  await watcher.add(parseTarget(server.url.replace('127.0.0.1', 'localhost')), {
    system: 'asynq',
    queues: ['q'],
  });
  await polled();
  const either = await action.run(alert([]), undefined);
  assert.deepEqual([either.outcome, /several queues q/.test(either.message)], ['refused', true]);
  assert.equal(await redis.exists(PAUSED), 0);
  const labels = { ...LABELS, redis_instance: `127.0.0.1:${server.port}/0` };
  assert.equal((await action.run(alert([], { labels }), undefined)).outcome, 'done');
});

test('nothing is written to a replica, nor to a primary that has become one', async () => {
  const replica = await startRedis();
  stops.push(() => replica.stop());
  const other = new Redis(replica.url);
  stops.push(() => other.disconnect());
  const link = async () => (await other.call('INFO', 'replication')) as string;
  await other.call('REPLICAOF', '127.0.0.1', server.port);
  while (!(await link()).includes('master_link_status:up'));
  const onReplica = await watch(replica.url);
  const firing = alert(onReplica.watcher.runsFor(LABELS));
  assert.equal(firing.runs.length, 2);
  for (const action of [onReplica.cancel, onReplica.pauses.action]) {
    const { outcome, message } = await action.run(firing, undefined);
    assert.deepEqual([outcome, /takes no lease/.test(message)], ['refused', true]);
  }

  const leads = await watch(server.url, 30_000);
  const before = alert(leads.watcher.runsFor(LABELS));
  assert.equal(before.runs.length, 2);
  await redis.call('REPLICAOF', '127.0.0.1', '1');
  for (const action of [leads.cancel, leads.pauses.action]) {
    const { outcome, message } = await action.run(before, undefined);
    assert.deepEqual([outcome, /READONLY/.test(message)], ['failed', true]);
  }
  assert.deepEqual(await cancelled(), []);
});
