/**
 * What the main side and the agent thread share: one SharedArrayBuffer per instrumented thread, laid out as
 *
 *     header | table of runs in flight | ring of finished records
 *
 * A word has one writer, but where an agent that died left it, its successor's owner may set it right. A reader of the table checks a slot's generation before and after, as the writer never waits.
 */

/** A block of shared memory with the views that both sides use. */
export interface Shared {
  readonly buffer: SharedArrayBuffer;
  readonly i32: Int32Array;
  readonly f64: Float64Array;
  readonly bytes: Buffer;
}

export const LAYOUT_VERSION = 1;

/** Indices into `i32`. Written by the main side unless said otherwise. */
export const I32 = {
  /** 1 while the thread lives, 2 after its end. */
  state: 1,
  /** Counts heartbeats. */
  beat: 2,
  /** Slot of the run that holds the thread, or a value of CURRENT. */
  current: 3,
  /** Bytes ever written to the ring, modulo 2^32. */
  ringHead: 4,
  /** Bytes ever read from it. Written by the agent. */
  ringTail: 5,
  droppedRing: 6,
  droppedTable: 7,
  foldedRuns: 8,
  /** Flushes asked for, and (agent) answered. */
  flushAsked: 9,
  flushDone: 10,
  /** Full collections asked for (agent), and done. */
  gcAsked: 11,
  gcDone: 12,
  /** Agent: a value of AGENT. */
  agent: 13,
  /** Faults caught on the main side. */
  errors: 14,
  /** Times that the rule files were to be read again. */
  reloadAsked: 15,
  /** Heartbeat lateness: 64 counters, see `lateBucket`. */
  late: 16,
  /** GC pauses: 4 kinds x (buckets of v8js.gc.duration + 1) counters. */
  gcCounts: 80,
  /** How the process ends, a value of END, and its exit code or the number of the signal. */
  endKind: 240,
  endCode: 241,
  /** Number of the signal by which the process was told to stop, though it listens to it itself. */
  stopSignal: 242,
  /** Agent: file descriptor of the flight recorder's file, for runs that are to be written at once; 0 for none. */
  eventFd: 243,
  /** Runs in the table. */
  inFlight: 244,
  /** 1 while the thread's CPU time is to be sampled; agent: 1 while it is. */
  samplingAsked: 245,
  sampling: 246,
  /** Agents that were started in place of one that had failed. */
  agentRestarts: 247,
  /** Agent: file descriptor of the flight recorder's file, which outlives the agent; 0 for none. */
  recorderFd: 248,
  /** 1 once somebody waits for the agent. */
  agentAwaited: 249,
  /** Agent: 1 while the collection that is asked for is to be exact. */
  gcExact: 250,
  /** Other threads that share the agent of the one that has started it. One that was terminated has not taken itself back. */
  sharers: 251,
  /** Handles that outlived their runs and are not looked after, as there are too many. */
  droppedHandles: 252,
} as const;

export const CURRENT = { none: -1, unknown: -2 } as const;
export const AGENT = { starting: 0, watching: 1, exporting: 2, refused: 3, gone: 4 } as const;
/** `stopped`: only Taskwarden ends, the process goes on. */
export const END = { none: 0, exit: 1, exception: 2, signal: 3, stopped: 4 } as const;
export const STATE = { running: 1, closed: 2 } as const;

/** Indices into `f64`. */
export const F64 = {
  /** Time of the last heartbeat, ms of the writer's performance.now(). */
  beatAt: 128,
  usedHeap: 129,
  /** Limit of the old generation, bytes. */
  heapLimit: 130,
  activeMs: 131,
  idleMs: 132,
  unattributedMs: 133,
  lateSumMs: 134,
  lateSquaresMs: 135,
  /** Old generation in use, bytes: by the last refresh, and after the last full collection (0 before the first). */
  oldUsed: 136,
  oldAfterMajor: 137,
  /** Memory that V8 knows of outside its heap, array buffers above all, bytes. */
  external: 138,
  /** Milliseconds of GC pauses, one per kind. */
  gcSumMs: 140,
  /** Heap spaces in the order of v8.getHeapSpaceStatistics(): size, available, physical. */
  spaces: 144,
  /** CPU time of the thread when the loop's times were read, ms; NaN where Node.js cannot tell. */
  threadCpuMs: 200,
  /** Agent: when it last found nothing to sample, ms of the writer's performance.now(). */
  quietAt: 201,
  /** When usedHeap was read, ms of the writer's performance.now(). */
  heapReadAt: 202,
  /** From the last heartbeat to the next, ms. */
  pauseMs: 203,
  /** When the loop last began a callback, or in one the only run in flight, as far as it is seen; ms of the writer's performance.now(). */
  turnAt: 204,
} as const;

export const MAX_SPACES = 16;
const HEADER_BYTES = 2048;

/** Kinds of GC in the order of their counters. */
export const GC_KINDS = ['minor', 'major', 'incremental', 'weakcb'] as const;

/** One slot of the table, byte offsets. */
export const SLOT = {
  /** i32: odd while a run is in flight; grows by one at start and end. */
  generation: 0,
  task: 4,
  attempt: 8,
  idLength: 12,
  /** f64, ms of performance.now(). */
  start: 16,
  /** Usage so far, refreshed about once a second: f64 ms, bytes, bytes, then i32. */
  cpuMs: 24,
  bytesIn: 32,
  bytesOut: 40,
  requests: 48,
  /** i32: 48 when trace and span id follow, else 0. */
  traceLength: 52,
  trace: 56,
  /** i32, ms: the time that its library gives it, and how long its lock lasts without being renewed; 0 where there is none. */
  timeoutMs: 104,
  lockMs: 108,
  id: 112,
  bytes: 224,
} as const;

/** Characters of the name of a task, its queue or framework; the rest is cut. */
export const MAX_NAME = 255;

export const SLOT_COUNT = 1024;
export const MAX_ID_BYTES: number = SLOT.bytes - SLOT.id;
const TABLE_BYTES = SLOT.bytes * SLOT_COUNT;

export const RING_BYTES = 1 << 20;
const RING_MASK = RING_BYTES - 1;
const TABLE_AT = HEADER_BYTES;
const RING_AT = HEADER_BYTES + TABLE_BYTES;

/** Records of the ring. Each starts with i32 total length and i32 kind; the next begins at a multiple of 8. */
export const KIND = {
  padding: 0,
  run: 1,
  task: 2,
  span: 3,
  collection: 4,
  queue: 5,
  tally: 6,
  server: 7,
  traffic: 8,
  breaker: 9,
} as const;

/** A run record, byte offsets. */
export const RUN = {
  task: 8,
  flags: 12,
  attempt: 16,
  requests: 20,
  startEpochMs: 24,
  durationMs: 32,
  waitMs: 40,
  cpuMs: 48,
  blockMs: 56,
  bytesIn: 64,
  bytesOut: 72,
  payloadBytes: 80,
  traceLength: 88,
  idLength: 92,
  extraLength: 96,
  /** The slot that the run had in the table, -1 for none, and its generation there. */
  slot: 100,
  generation: 104,
  /** Trace id and span id (48 hex digits) if traceLength, then the job id, then JSON in UTF-8. */
  text: 112,
} as const;

/** A record of a full collection that the agent asked for, byte offsets of f64. */
export const COLLECTION = { pauseMs: 8, heapAfter: 16, external: 24, exact: 32, bytes: 40 } as const;

/** A full collection of garbage, and what it left behind. */
export interface Collection {
  /** Done at once, so that no garbage is left; otherwise as V8 makes them of its own accord. */
  readonly exact: boolean;
  /** How long it held the thread up, ms; of one that is not exact, its last step. */
  readonly pauseMs: number;
  /** Bytes in use. */
  readonly heapAfter: number;
  /** Bytes outside of the heap that V8 knows of. */
  readonly external: number;
}

/** `sampled`: the task's CPU time comes from samples, and the run's own is not to be added to it. */
export const FLAG = { failed: 1, exportSpan: 2, retry: 4, sampled: 8, qualityShift: 4 } as const;
export const CPU_QUALITIES = ['off', 'sync_only', 'exact', 'warming'] as const;
export type CpuQuality = (typeof CPU_QUALITIES)[number];

/** What the agent needs to know of a task that the main side has given a number. */
export interface TaskKey {
  framework: string;
  queue: string;
  task: string;
}

/** Kinds of handles that a run may leave open. */
export const HANDLE_TYPES = ['socket', 'timer', 'server', 'child_process', 'worker'] as const;
export type HandleType = (typeof HANDLE_TYPES)[number];

export const DUPLICATE_TYPES = ['concurrent', 'repeated'] as const;
export type DuplicateType = (typeof DUPLICATE_TYPES)[number];

/** What is counted by task beside its runs: handles that were left open, job objects, duplicates, CPU time in ms and samples, bytes. */
export type TallyName =
  | HandleType
  | DuplicateType
  | 'jobs_checked'
  | 'jobs_retained'
  | 'cpu_sampled'
  | 'cpu_samples'
  | 'allocated';
/** Number of the task, what is counted, by how many it has changed. */
export type TallyRow = [taskId: number, name: TallyName, delta: number];

/** How a request ends; what they mean says docs/metrics.md. */
export const REQUEST_OUTCOMES = [
  'success',
  'client_error',
  'server_error',
  'timeout',
  'error',
  'aborted',
] as const;
export type RequestOutcome = (typeof REQUEST_OUTCOMES)[number];

/** A server that tasks talk to; no port where it is a path, unknown, or one of several. */
export interface ServerKey {
  address: string;
  port: number | undefined;
}

/**
 * What was exchanged with a server: number of the task (-1 for connections that are no single run's) and of the server, bytes, ms that
 * requests took, and how many of them ended in each of REQUEST_OUTCOMES.
 */
export type TrafficRow = readonly [
  taskId: number,
  serverId: number,
  bytesIn: number,
  bytesOut: number,
  timeMs: number,
  ...requests: number[],
];

export const BREAKER_STATES = ['closed', 'open', 'half_open'] as const;
export const BREAKER_OUTCOMES = ['success', 'failure', 'timeout', 'rejected', 'overloaded'] as const;

/** What has changed about the circuit breakers of a name and group: how many are in a state, and how many calls there were. */
export interface BreakerRow {
  readonly name: string;
  readonly group: string;
  /** In the order of BREAKER_STATES. */
  readonly states: number[];
  /** In the order of BREAKER_OUTCOMES. */
  readonly calls: number[];
  openings: number;
  fallbacks: number;
}

/** The part of a run record that only some runs have, as JSON. */
export interface RunExtra {
  duplicate?: DuplicateType;
  /** Agent: highest heap while the run was in flight, bytes, and whether it was alone then. */
  heapPeak?: { readonly bytes: number; readonly suspicion: 'exclusive' | 'shared' };
  /** Handles that the run had open at its end. */
  openHandles?: number;
  /** Requests that a server, or the way to it, has failed. */
  failedRequests?: number;
  error?: { type: string; message: string; stack?: string };
  links?: { traceId: string; spanId: string; traceFlags: number }[];
  parentSpanId?: string;
  traceState?: string;
  /** Set on the run's span by the application or a library. */
  attributes?: Record<string, unknown>;
  events?: { name: string; timeMs: number; attributes?: Record<string, unknown> }[];
  name?: string;
  statusMessage?: string;
}

/** Where heartbeat lateness of `ms` is counted: 10 buckets a decade from 0.1 ms. */
export function lateBucket(ms: number): number {
  if (ms <= 0.1) return 0;
  return Math.min(63, Math.ceil(Math.log10(ms * 10) * 10));
}

/** Upper bound of a lateness bucket in ms. */
export function lateBound(bucket: number): number {
  return 10 ** (bucket / 10) / 10;
}

export function createShared(): Shared {
  const shared = openShared(new SharedArrayBuffer(HEADER_BYTES + TABLE_BYTES + RING_BYTES));
  shared.i32[I32.state] = STATE.running;
  shared.i32[I32.current] = CURRENT.unknown;
  return shared;
}

export function openShared(buffer: SharedArrayBuffer): Shared {
  return {
    buffer,
    i32: new Int32Array(buffer),
    f64: new Float64Array(buffer),
    bytes: Buffer.from(buffer),
  };
}

/** Byte offset of a slot of the table. */
export function slotAt(slot: number): number {
  return TABLE_AT + slot * SLOT.bytes;
}

/** Byte offset in the buffer of a ring position. */
export function ringAt(position: number): number {
  return RING_AT + (position & RING_MASK);
}

/** Bytes from a ring position to the physical end of the ring. */
export function ringRest(position: number): number {
  return RING_BYTES - (position & RING_MASK);
}

/** What a thread tells but once, and the agent that comes in place of the one that has read it has to know. */
export interface Told {
  /** By their numbers. */
  readonly tasks: readonly TaskKey[];
  readonly servers: readonly ServerKey[];
  readonly queues: readonly object[];
  /** Handles that are open. */
  readonly open: readonly TallyRow[];
  /** Circuit breakers and the states that they are in. */
  readonly breakers: readonly BreakerRow[];
  /** Position in the ring up to which records may speak of the same. */
  readonly upTo: number;
}

/** What a thread gets at its start: one cloneable value. */
export interface ThreadStart extends Offer {
  config: unknown;
  /** Identity of the process in telemetry, whichever agent speaks for it. */
  instanceId: string;
}

/** Name of the channel on which other threads of the process offer their memory to the agent. */
export const CHANNEL = 'taskwarden';

export interface Offer {
  buffer: SharedArrayBuffer;
  /** monotonicMs() - performance.now() of the thread that writes. */
  clockOffset: number;
  /** Empty if left out. */
  told?: Told;
}
