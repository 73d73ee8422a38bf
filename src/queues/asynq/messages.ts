import protobuf from 'protobufjs/light.js';

/**
 * asynq's messages (internal/proto/asynq.proto, 0.18 to 0.26). Only what may be read is declared: a decoder passes over every other
 * field, which are the payloads and headers above all, by its length alone.
 */
const DECLARED = {
  Timestamp: { fields: { seconds: { type: 'int64', id: 1 } } },
  TaskMessage: {
    fields: {
      type: { type: 'string', id: 1 },
      errorMsg: { type: 'string', id: 7 },
    },
  },
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
      queue: { type: 'string', id: 7 },
      startTime: { type: 'Timestamp', id: 8 },
      deadline: { type: 'Timestamp', id: 9 },
    },
  },
  SchedulerEntry: {
    fields: {
      taskType: { type: 'string', id: 3 },
      nextEnqueueTime: { type: 'Timestamp', id: 6 },
      prevEnqueueTime: { type: 'Timestamp', id: 7 },
    },
  },
} as const;

const root = protobuf.Root.fromJSON({ nested: DECLARED });

/** Times are ms since the Unix epoch here and below; undefined where asynq has none. */
export interface ServerInfo {
  readonly host: string;
  readonly pid: number;
  readonly concurrency: number;
  /** Weights by queue. */
  readonly queues: ReadonlyMap<string, number>;
  readonly strictPriority: boolean;
  /** `new`, `active`, `stopped` or `closed`. */
  readonly status: string;
  readonly startedMs: number | undefined;
  readonly activeWorkers: number;
}

export interface WorkerInfo {
  readonly type: string;
  readonly queue: string;
  readonly startedMs: number | undefined;
  readonly deadlineMs: number | undefined;
}

export interface SchedulerEntry {
  readonly type: string;
  readonly nextMs: number | undefined;
  readonly previousMs: number | undefined;
}

export interface TaskMessage {
  readonly type: string;
  /** Text of the last failure, empty without one. */
  readonly error: string;
}

// Each reads one message, and gives undefined for what is none: truncated, of wrong wire types, or not protobuf at all.

export function decodeServer(bytes: Uint8Array): ServerInfo | undefined {
  const message = decode('ServerInfo', bytes);
  if (message === undefined || message.host === '') return undefined;
  return {
    host: message.host as string,
    pid: message.pid as number,
    concurrency: message.concurrency as number,
    queues: new Map(Object.entries(message.queues as Record<string, number>)),
    strictPriority: message.strictPriority as boolean,
    status: message.status as string,
    startedMs: timeOf(message.startTime),
    activeWorkers: message.activeWorkerCount as number,
  };
}

export function decodeWorker(bytes: Uint8Array): WorkerInfo | undefined {
  const message = decode('WorkerInfo', bytes);
  if (message === undefined || message.taskType === '' || message.queue === '') return undefined;
  return {
    type: message.taskType as string,
    queue: message.queue as string,
    startedMs: timeOf(message.startTime),
    deadlineMs: timeOf(message.deadline),
  };
}

export function decodeSchedulerEntry(bytes: Uint8Array): SchedulerEntry | undefined {
  const message = decode('SchedulerEntry', bytes);
  if (message === undefined || message.taskType === '') return undefined;
  return {
    type: message.taskType as string,
    nextMs: timeOf(message.nextEnqueueTime),
    previousMs: timeOf(message.prevEnqueueTime),
  };
}

export function decodeTask(bytes: Uint8Array): TaskMessage | undefined {
  const message = decode('TaskMessage', bytes);
  if (message === undefined || message.type === '') return undefined;
  return { type: message.type as string, error: message.errorMsg as string };
}

function decode(name: keyof typeof DECLARED, bytes: Uint8Array): Record<string, unknown> | undefined {
  const reader = protobuf.Reader.create(bytes);
  // Else it would keep what is not declared, payloads included, on the message.
  reader.discardUnknown = true;
  try {
    return root.lookupType(name).decode(reader) as unknown as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** Go's zero time is the year 1, and what is not after 1970 is no time of a task. */
function timeOf(timestamp: unknown): number | undefined {
  const seconds = (timestamp as { seconds?: number | { toNumber(): number } } | null)?.seconds;
  const value = typeof seconds === 'object' ? seconds.toNumber() : seconds;
  return value !== undefined && value > 0 && value < 8.64e12 ? value * 1000 : undefined;
}
