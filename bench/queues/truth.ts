import { setTimeout as delay } from 'node:timers/promises';
import BeeQueue from 'bee-queue';
import Bull from 'bull';
import { Queue, Worker } from 'bullmq';
import { Queue as Queue5, Worker as Worker5 } from 'bullmq5';
import { Queue as ResqueQueue } from 'node-resque';
import type { Command } from '../../src/queues/system.ts';
import { Asynq } from '../../test/helpers/asynq.ts';
import { asynqMissing } from '../../test/helpers/go-programs.ts';
import { type RedisServer, startRedis } from '../../test/helpers/redis.ts';
import type { BenchOptions } from '../lib/bench.ts';
import type { Measured } from '../lib/figure.ts';
import { startWatch } from './watch.ts';

type Depths = Record<string, number>;

/** One library at work: what its queue does in a round, and what its own inspector says of it. */
interface Subject {
  readonly system: string;
  readonly queue: string;
  /** Commands of one poll are those whose first key begins so. */
  readonly keys: string;
  act(round: number): Promise<void>;
  inspect(): Promise<Depths>;
  close(): Promise<void>;
}

const FAR_MS = 3_600_000;

function bullmq(server: RedisServer, queue: string, Q: typeof Queue, W: typeof Worker): Subject {
  const connection = { host: '127.0.0.1', port: server.port };
  const own = new Q(queue, { connection });
  // Without a processor: jobs are taken and ended by hand, so that nothing moves while it is compared.
  const worker = new W(queue, null, { connection, autorun: false });
  return {
    system: 'bullmq',
    queue,
    keys: `bull:${queue}:`,
    async act(round) {
      for (let i = 0; i <= round % 5; i++) {
        await own.add('plain', { i });
        await own.add('urgent', { i }, { priority: 1 + (i % 3) });
      }
      await own.add('later', {}, { delay: FAR_MS });
      if (round % 4 === 1) await own.pause();
      if (round % 4 === 2) await own.resume();
      const job = await worker.getNextJob(`token-${round}`, { block: false });
      if (job !== undefined && round % 3 === 0) await job.moveToCompleted(1, `token-${round}`, false);
      if (job !== undefined && round % 3 === 1)
        await job.moveToFailed(new Error('broken'), `token-${round}`, false);
    },
    async inspect() {
      const counts = await own.getJobCounts();
      const of = (name: string): number => counts[name] ?? 0;
      return {
        ready: of('waiting') + of('prioritized') + of('paused'),
        active: of('active'),
        scheduled: of('delayed'),
        dead: of('failed'),
        completed: of('completed'),
        blocked: of('waiting-children'),
      };
    },
    async close() {
      await worker.close(true);
      await own.close();
    },
  };
}

function bull(server: RedisServer): Subject {
  const own = new Bull('old', { redis: { host: '127.0.0.1', port: server.port } });
  return {
    system: 'bull',
    queue: 'old',
    keys: 'bull:old:',
    async act(round) {
      for (let i = 0; i <= round % 5; i++) await own.add({ i }, i % 2 === 0 ? {} : { priority: i });
      await own.add({}, { delay: FAR_MS });
      if (round % 4 === 1) await own.pause();
      if (round % 4 === 2) await own.resume();
      if (round % 4 === 1) return;
      const job = await own.getNextJob();
      if (job && round % 3 === 0) await job.moveToCompleted('fine', true, true);
      if (job && round % 3 === 1) await job.moveToFailed(new Error('broken'), true);
    },
    async inspect() {
      const { waiting, active, delayed, failed, completed } = await own.getJobCounts();
      const paused = await own.getPausedCount();
      return { ready: waiting + paused, active, scheduled: delayed, dead: failed, completed };
    },
    close: () => own.close(true),
  };
}

function bee(server: RedisServer): Subject {
  const own = new BeeQueue<object>('bees', {
    redis: { host: '127.0.0.1', port: server.port },
    isWorker: false,
  });
  return {
    system: 'bee-queue',
    queue: 'bees',
    keys: 'bq:bees:',
    async act(round) {
      for (let i = 0; i <= round % 5; i++) await own.createJob({ i }).save();
      await own
        .createJob({})
        .delayUntil(Date.now() + FAR_MS)
        .save();
    },
    async inspect() {
      const { waiting, active, delayed, failed, succeeded } = await own.checkHealth();
      return { ready: waiting, active, scheduled: delayed, dead: failed, completed: succeeded };
    },
    close: () => own.close(),
  };
}

async function resque(server: RedisServer): Promise<Subject> {
  const own = new ResqueQueue({ connection: { host: '127.0.0.1', port: server.port, pkg: 'ioredis' } }, {
    add: { perform: async () => {}, plugins: [], pluginOptions: {} },
  } as never);
  await own.connect();
  return {
    system: 'node-resque',
    queue: 'resque',
    keys: 'resque:queue',
    async act(round) {
      for (let i = 0; i <= round % 5; i++) await own.enqueue('resque', 'add', [i]);
    },
    inspect: async () => ({ ready: await own.length('resque') }),
    close: () => own.end(),
  };
}

/** A worker with two tasks that do not end, so that what comes later waits; where there is no Go there is none. */
async function asynq(server: RedisServer): Promise<Subject | undefined> {
  if (asynqMissing()) return undefined;
  const programs = await Asynq.on(server);
  const worker = programs.worker('-concurrency', '2', '-queues', 'go=1', '-retry-delay', '1h');
  const queue = 'go';
  const inspected = async () => (await programs.inspect()).queues.find(({ Queue }) => Queue === queue);
  await programs.enqueue(
    { type: 'ok', queue, retention: FAR_MS, times: 3 },
    { type: 'fail:mail', queue, times: 2 },
    { type: 'archive:pdf', queue },
  );
  const ended = async () => {
    const { Completed = 0, Retry = 0, Archived = 0 } = (await inspected()) ?? {};
    return Completed + Retry + Archived === 6;
  };
  while (!(await ended())) await delay(200);
  await programs.enqueue({ type: 'stubborn:report', queue, payload: { ms: FAR_MS }, times: 2 });
  while ((await inspected())?.Active !== 2) await delay(200);
  return {
    system: 'asynq',
    queue,
    keys: 'asynq:{go}:',
    async act(round) {
      await programs.enqueue(
        { type: 'ok', queue, times: 1 + (round % 5) },
        { type: 'ok', queue, processIn: FAR_MS },
        { type: 'ok', queue, group: `g${round % 3}` },
      );
    },
    async inspect() {
      const { Pending, Active, Scheduled, Retry, Archived, Completed, Aggregating } = (await inspected())!;
      return {
        ready: Pending,
        active: Active,
        scheduled: Scheduled,
        retry: Retry,
        dead: Archived,
        completed: Completed,
        aggregating: Aggregating,
      };
    },
    close: async () => void (await worker.stop('SIGKILL')),
  };
}

/** Which library a queue belongs to is asked when it is found, not at every poll. */
function isSearch([name, key, first]: Command): boolean {
  return (name === 'EXISTS' && String(key).endsWith(':events')) || (name === 'HMGET' && first === 'version');
}

/** Depths against what each library's own inspector says of the same Redis, and the most commands of a poll. */
export async function measureTruth({ quick, rounds, progress }: BenchOptions): Promise<Measured[]> {
  const n = rounds ?? (quick ? 3 : 20);
  const server = await startRedis();
  const subjects = [
    bullmq(server, 'five', Queue5 as unknown as typeof Queue, Worker5 as unknown as typeof Worker),
    bullmq(server, 'six', Queue, Worker),
    bull(server),
    bee(server),
    await resque(server),
    ...[await asynq(server)].filter((subject) => subject !== undefined),
  ];
  const watch = await startWatch({
    url: server.url,
    systems: [...new Set(subjects.map(({ system }) => system))],
  });
  let compared = 0;
  let mismatches = 0;
  try {
    for (let round = 0; round < n; round++) {
      for (const subject of subjects) await subject.act(round);
      // What is asked for in turns needs eight polls to have been asked for once.
      for (let i = 0; i < 8; i++) await watch.poll();
      for (const { system, queue, inspect } of subjects) {
        const own = await inspect();
        const read = watch.depths(queue);
        for (const [state, value] of Object.entries(own)) {
          compared++;
          if (read[state] === value) continue;
          mismatches++;
          progress(
            `queues, truth: ${system} ${queue} ${state}: ${read[state]}, its own inspector says ${value}`,
          );
        }
      }
    }
  } finally {
    await watch.stop();
    for (const subject of subjects) await subject.close();
    await server.stop();
  }
  const most = subjects.map(({ system, queue, keys }): Measured => {
    const counts = watch.commands.map(
      (sent) => sent.filter((command) => String(command[1]).startsWith(keys) && !isSearch(command)).length,
    );
    return {
      case: `${system}: ${queue}`,
      metric: 'commands_per_queue_poll',
      unit: 'count',
      value: Math.max(...counts),
      n: counts.length,
      goal: { value: 10, better: 'lower' },
    };
  });
  return [
    ...most,
    {
      case: 'all libraries',
      metric: 'gauge_mismatches',
      unit: 'count',
      value: mismatches,
      n: compared,
      goal: { value: 0, better: 'lower' },
    },
  ];
}
