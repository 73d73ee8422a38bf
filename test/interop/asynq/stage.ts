import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import type { TestContext } from 'node:test';
import { Redis } from 'ioredis';
import { inspectWorkers } from '../../../src/agent/worker-processes.ts';
import { createAsynq } from '../../../src/queues/asynq/asynq.ts';
import { Asynq, type Inspected, type InspectedQueue } from '../../helpers/asynq.ts';
import { startRedis } from '../../helpers/redis.ts';
import type { ServerProcess } from '../../helpers/server-process.ts';
import { type Watching, watching } from '../../queues/watching.ts';

/** All that takes turns has been read, and two groups counted, after so many polls. */
const ALL_TURNS = 8;

/** A Redis with asynq's programs, and a watcher of it. */
export interface Stage extends Watching {
  readonly asynq: Asynq;
  readonly redis: Redis;
  readonly system: ReturnType<typeof createAsynq>;
  /** Of a worker that runs on this machine. */
  worker(...flags: string[]): ServerProcess;
  /** Polls until it holds; asynq's servers write every 5 s. */
  until(what: string, holds: () => boolean): Promise<void>;
  /** Compares every gauge of every queue and server with asynq's Inspector, once nothing changes any more. */
  compare(): Promise<Inspected>;
}

export async function stage(t: TestContext): Promise<Stage> {
  const server = await startRedis();
  const redis = new Redis(server.url);
  const asynq = await Asynq.on(server);
  const workers: ServerProcess[] = [];
  t.after(async () => {
    await Promise.all(workers.map((worker) => worker.stop('SIGKILL')));
    redis.disconnect();
    await server.stop();
  });
  const system = createAsynq({ inspect: inspectWorkers() });
  const watcher = watching(t, server.url, [system]);
  const start = (process: ServerProcess): ServerProcess => {
    workers.push(process);
    return process;
  };
  const compare = async (): Promise<Inspected> => {
    for (let attempt = 0; attempt < 20; attempt++) {
      const before = await asynq.inspect();
      await watcher.poll(ALL_TURNS);
      const after = await asynq.inspect();
      if (sizes(before) !== sizes(after)) continue;
      for (const queue of after.queues) compareQueue(watcher, queue);
      compareServers(watcher, after);
      return after;
    }
    throw new Error('the queues do not come to rest');
  };
  return {
    ...watcher,
    asynq,
    redis,
    system,
    worker: (...flags) => start(asynq.worker(...flags)),
    compare,
    async until(what, holds) {
      const end = Date.now() + 60_000;
      for (;;) {
        await watcher.poll();
        if (holds()) return;
        if (Date.now() > end) throw new Error(`not within a minute: ${what}`);
        await new Promise((later) => setTimeout(later, 100));
      }
    },
  };
}

function compareQueue({ value }: Watching, queue: InspectedQueue): void {
  const of = { 'messaging.destination.name': queue.Queue };
  const depth = (state: string) => value('queue.depth', { ...of, 'queue.state': state });
  const found = {
    Aggregating: depth('aggregating'),
    Pending: depth('ready'),
    Active: depth('active'),
    Scheduled: depth('scheduled'),
    Retry: depth('retry'),
    Archived: depth('dead'),
    Completed: depth('completed'),
    Groups: value('queue.groups', of),
    ProcessedTotal: value('queue.tasks.processed', of) ?? 0,
    FailedTotal: value('queue.tasks.failed', of) ?? 0,
    Paused: value('queue.paused', of) === 1,
  };
  const said = Object.fromEntries(
    Object.keys(found).map((name) => [name, queue[name as keyof typeof found]]),
  );
  assert.deepEqual(found, said, queue.Queue);
  const age = value('queue.ready.oldest', of);
  // asynq says 0 where it does not know; we say nothing.
  if (age !== undefined) assert.ok(Math.abs(age - queue.Latency / 1e9) < 2, `${age} s, ${queue.Latency} ns`);
}

function compareServers({ value }: Watching, { servers }: Inspected): void {
  for (const { Host, PID, Concurrency, ActiveWorkers, Queues } of servers) {
    const worker = { 'host.name': Host, 'process.pid': String(PID) };
    assert.equal(Host, hostname());
    assert.equal(value('queue.worker.capacity', worker), Concurrency);
    assert.equal(value('queue.worker.active', worker), ActiveWorkers?.length ?? 0);
    for (const name of Object.keys(Queues))
      assert.ok(value('queue.capacity', { 'messaging.destination.name': name })! >= Concurrency);
  }
  const all = servers.flatMap(({ ActiveWorkers }) => ActiveWorkers ?? []);
  for (const [key, tasks] of Map.groupBy(all, ({ Queue, TaskType }) => `${Queue}\n${TaskType}`)) {
    const [queue = '', type = ''] = key.split('\n');
    const of = { 'messaging.destination.name': queue, 'task.name': type };
    assert.equal(value('task.active', of), tasks.length, key);
    const oldest = Math.min(...tasks.map(({ Started }) => Date.parse(Started)));
    assert.ok(Math.abs(value('task.active.oldest', of)! - (Date.now() - oldest) / 1000) < 3, key);
  }
}

function sizes({ queues, servers }: Inspected): string {
  return JSON.stringify([
    queues.map(({ Latency: _, ...queue }) => ({ ...queue, Timestamp: 0, MemoryUsage: 0 })),
    servers.map(({ ID, ActiveWorkers }) => [ID, ActiveWorkers?.map(({ TaskID }) => TaskID).sort()]),
  ]);
}
