import type { Redis } from 'ioredis';
import protobuf from 'protobufjs/light.js';

const MESSAGES = {
  nested: {
    Timestamp: { fields: { seconds: { type: 'int64', id: 1 } } },
    ServerInfo: {
      fields: {
        host: { type: 'string', id: 1 },
        pid: { type: 'int32', id: 2 },
        concurrency: { type: 'int32', id: 4 },
        queues: { keyType: 'string', type: 'int32', id: 5 },
        strictPriority: { type: 'bool', id: 6 },
        status: { type: 'string', id: 7 },
        startTime: { type: 'Timestamp', id: 8 },
        activeWorkerCount: { type: 'int32', id: 9 },
      },
    },
    WorkerInfo: {
      fields: {
        taskType: { type: 'string', id: 5 },
        taskPayload: { type: 'bytes', id: 6 },
        queue: { type: 'string', id: 7 },
        startTime: { type: 'Timestamp', id: 8 },
        deadline: { type: 'Timestamp', id: 9 },
      },
    },
  },
} as const;
const root = protobuf.Root.fromJSON(MESSAGES);

export interface FakeTask {
  readonly type: string;
  readonly queue: string;
  /** Of the server's clock, s since the Unix epoch. */
  readonly started?: number;
  readonly deadline?: number;
  readonly payload?: Buffer;
}

export interface FakeServer {
  /** Of its keys. */
  readonly prefix?: string;
  readonly host?: string;
  readonly pid?: number;
  readonly concurrency?: number;
  readonly queues?: Readonly<Record<string, number>>;
  readonly strictPriority?: boolean;
  readonly started?: number;
  readonly tasks?: Readonly<Record<string, FakeTask | Buffer>>;
  /** In place of the number of tasks. */
  readonly active?: number;
  /** By its clock, s since the Unix epoch. */
  readonly now: number;
}

/** Writes what a server writes at a beat, under the id `uuid`, in the layout that the recorded fixtures show. */
export async function beat(redis: Redis, uuid: string, server: FakeServer): Promise<void> {
  const { prefix = 'asynq', host = 'h1', pid = 7, tasks = {}, now } = server;
  const name = `{${host}:${pid}:${uuid}}`;
  const info = encode('ServerInfo', {
    host,
    pid,
    concurrency: server.concurrency ?? 10,
    queues: server.queues ?? { q: 1 },
    strictPriority: server.strictPriority ?? false,
    status: 'active',
    startTime: { seconds: server.started ?? now - 100 },
    activeWorkerCount: server.active ?? Object.keys(tasks).length,
  });
  await redis.zadd(`${prefix}:servers`, now + 10, `${prefix}:servers:${name}`);
  await redis.setex(`${prefix}:servers:${name}`, 10, info);
  await redis.del(`${prefix}:workers:${name}`);
  for (const [id, task] of Object.entries(tasks)) {
    const message = Buffer.isBuffer(task) ? task : workerInfo(task, now);
    await redis.hset(`${prefix}:workers:${name}`, id, message);
  }
}

function workerInfo({ type, queue, started, deadline, payload }: FakeTask, now: number): Buffer {
  return encode('WorkerInfo', {
    taskType: type,
    taskPayload: payload ?? Buffer.from('top-secret'),
    queue,
    startTime: { seconds: started ?? now - 10 },
    deadline: { seconds: deadline ?? now + 1800 },
  });
}

function encode(name: string, value: object): Buffer {
  const type = root.lookupType(name);
  return Buffer.from(type.encode(type.fromObject(value)).finish());
}
