import { monotonicMs } from '../model/clock.ts';
import {
  AGENT,
  type BreakerRow,
  COLLECTION,
  type Collection,
  CPU_QUALITIES,
  type CpuQuality,
  CURRENT,
  F64,
  FLAG,
  I32,
  KIND,
  openShared,
  RUN,
  type RunExtra,
  ringAt,
  type ServerKey,
  type Shared,
  SLOT,
  SLOT_COUNT,
  STATE,
  slotAt,
  type TallyName,
  type TallyRow,
  type TaskKey,
  type Told,
  type TrafficRow,
} from './protocol.ts';
import { isHandle } from './told.ts';

/** {@link Inbox.thread} of the main thread. */
export const MAIN_THREAD = 0;

/** A finished run as the agent reads it; unknown figures are undefined. */
export interface RunRecord {
  /** See {@link Inbox.thread}; each has slots of its own. */
  thread: number;
  slot: number;
  generation: number;
  task: TaskKey;
  taskId: number;
  jobId: string;
  attempt: number;
  /** Whether the job is known to have failed before. */
  isRetry: boolean;
  failed: boolean;
  startEpochMs: number;
  durationMs: number;
  waitMs: number | undefined;
  cpuMs: number;
  cpuQuality: CpuQuality;
  /** Whether the CPU time of its task comes from samples. */
  cpuSampled: boolean;
  blockMs: number;
  requests: number;
  bytesIn: number;
  bytesOut: number;
  payloadBytes: number | undefined;
  traceId: string;
  spanId: string;
  exportSpan: boolean;
  extra: RunExtra | undefined;
}

/** A run in flight. */
export interface ActiveRun {
  /** See {@link Inbox.thread}; each has slots of its own. */
  thread: number;
  slot: number;
  generation: number;
  task: TaskKey;
  taskId: number;
  jobId: string;
  attempt: number;
  ageMs: number;
  traceId: string;
  spanId: string;
  /** Usage as of about a second ago at most. */
  cpuMs: number;
  requests: number;
  bytesIn: number;
  bytesOut: number;
  /** What its library sets, ms; 0 for none. */
  timeoutMs: number;
  lockMs: number;
}

export interface InboxHandlers {
  run(record: RunRecord): void;
  task(id: number, task: TaskKey): void;
  span(span: unknown): void;
  /** A queue that an instrumentation has seen; `truncated` where it was too much to be told. */
  queue?(seen: unknown): void;
  /** What was counted of a task beside its runs has changed by `delta`. */
  tally?(task: TaskKey, name: TallyName, delta: number): void;
  /** What has changed about a circuit breaker. */
  breaker?(row: BreakerRow): void;
  /** What a task has exchanged with a server since the last time; without a task, over connections that are no single run's. */
  traffic?(task: TaskKey | undefined, server: ServerKey, row: TrafficRow): void;
  /** A full collection; the runs read so far are those that ended before it. */
  collection(collection: Collection): void;
  /** A record that cannot be read, or what one of the above threw; the next one follows. */
  unreadable(error: unknown): void;
}

const UNKNOWN_SERVER: ServerKey = { address: 'unknown', port: undefined };
const UNKNOWN_TASK: TaskKey = { framework: 'unknown', queue: 'unknown', task: 'unknown' };

/** The agent's end of the shared memory of one thread. */
export class Inbox {
  readonly shared: Shared;
  /** Number of the thread that writes, of which no other has the same in the life of an agent. */
  readonly thread: number;
  readonly tasks: TaskKey[] = [];
  readonly #servers: ServerKey[] = [];
  readonly #clockOffset: number;
  /** Position in the ring up to which states are known, so that changes of them are past; undefined where none are. */
  #knownUpTo: number | undefined;

  /**
   * @param clockOffset monotonicMs() - performance.now() of the thread that writes
   * @param told what a former agent may have read
   */
  constructor(buffer: SharedArrayBuffer, clockOffset: number, thread: number = MAIN_THREAD, told?: Told) {
    this.shared = openShared(buffer);
    this.thread = thread;
    this.#clockOffset = clockOffset;
    if (told === undefined) return;
    this.tasks.push(...told.tasks);
    this.#servers.push(...told.servers);
    this.#knownUpTo = told.upTo;
  }

  /** The present moment on the writer's performance.now() clock. */
  now(): number {
    return monotonicMs() - this.#clockOffset;
  }

  get closed(): boolean {
    return Atomics.load(this.shared.i32, I32.state) === STATE.closed;
  }

  /** Times that the thread has asked for the rule files to be read again. */
  get reloadsAsked(): number {
    return Atomics.load(this.shared.i32, I32.reloadAsked);
  }

  /**
   * When the writer's loop came to what it is about, ms of its performance.now(), where its next heartbeat stays away: that is somewhere
   * between the two, and right in the middle where no callback is known that it has begun since the last.
   */
  aliveAt(): number {
    const { f64 } = this.shared;
    const [beatAt, pauseMs, turnAt] = [f64[F64.beatAt]!, f64[F64.pauseMs]!, f64[F64.turnAt]!];
    return turnAt >= beatAt ? Math.min(turnAt, beatAt + pauseMs) : beatAt + pauseMs / 2;
  }

  /** Whether the next heartbeat is later than that, ms. */
  isLate(ms: number): boolean {
    const { f64 } = this.shared;
    return this.now() > f64[F64.beatAt]! + f64[F64.pauseMs]! + ms;
  }

  /** Milliseconds that the loop has been silent, if it is. */
  lagMs(): number {
    return Math.max(0, this.now() - this.aliveAt());
  }

  /** Reads all finished records, at most one ring full. */
  drain(handlers: InboxHandlers): void {
    const { i32 } = this.shared;
    const head = Atomics.load(i32, I32.ringHead);
    let tail = i32[I32.ringTail]!;
    while (tail !== head) {
      if (this.#knownUpTo !== undefined && ((this.#knownUpTo - tail) | 0) <= 0) this.#knownUpTo = undefined;
      const at = ringAt(tail);
      const length = i32[at >> 2]!;
      const kind = i32[(at >> 2) + 1]!;
      try {
        this.#dispatch(kind, at, length, handlers);
      } catch (error) {
        handlers.unreadable(error);
      }
      tail = (tail + ((length + 7) & ~7)) | 0;
      Atomics.store(i32, I32.ringTail, tail);
    }
  }

  #dispatch(kind: number, at: number, length: number, handlers: InboxHandlers): void {
    if (kind === KIND.run) handlers.run(this.#run(at));
    else if (kind === KIND.span) handlers.span(this.#json(at, length));
    else if (kind === KIND.queue) handlers.queue?.(this.#json(at, length));
    else if (kind === KIND.breaker) {
      const row = this.#json(at, length) as BreakerRow;
      if (this.#knownUpTo !== undefined) row.states.fill(0);
      handlers.breaker?.(row);
    } else if (kind === KIND.tally) {
      for (const [taskId, name, delta] of this.#json(at, length) as TallyRow[])
        if (this.#knownUpTo === undefined || !isHandle(name))
          handlers.tally?.(this.tasks[taskId] ?? UNKNOWN_TASK, name, delta);
    } else if (kind === KIND.server) {
      const { id, address, port } = this.#json(at, length) as ServerKey & { id: number };
      this.#servers[id] = { address, port };
    } else if (kind === KIND.traffic) {
      for (const row of this.#json(at, length) as TrafficRow[]) {
        const task = row[0] < 0 ? undefined : (this.tasks[row[0]] ?? UNKNOWN_TASK);
        handlers.traffic?.(task, this.#servers[row[1]] ?? UNKNOWN_SERVER, row);
      }
    } else if (kind === KIND.collection) {
      const { f64 } = this.shared;
      const figure = (offset: number): number => f64[(at + offset) >> 3]!;
      handlers.collection({
        exact: figure(COLLECTION.exact) === 1,
        pauseMs: figure(COLLECTION.pauseMs),
        heapAfter: figure(COLLECTION.heapAfter),
        external: figure(COLLECTION.external),
      });
    } else if (kind === KIND.task) {
      const { id, ...task } = this.#json(at, length) as TaskKey & { id: number };
      this.tasks[id] = task;
      handlers.task(id, task);
    }
  }

  #json(at: number, length: number): unknown {
    return JSON.parse(this.shared.bytes.toString('utf8', at + 8, at + length));
  }

  #run(at: number): RunRecord {
    const { i32, f64, bytes } = this.shared;
    const word = at >> 2;
    const double = at >> 3;
    const flags = i32[word + (RUN.flags >> 2)]!;
    const taskId = i32[word + (RUN.task >> 2)]!;
    const traceLength = i32[word + (RUN.traceLength >> 2)]!;
    const idAt = at + RUN.text + traceLength;
    const extraAt = idAt + i32[word + (RUN.idLength >> 2)]!;
    const extraEnd = extraAt + i32[word + (RUN.extraLength >> 2)]!;
    const trace = traceLength === 0 ? '' : bytes.toString('latin1', at + RUN.text, idAt);
    return {
      thread: this.thread,
      slot: i32[word + (RUN.slot >> 2)]!,
      generation: i32[word + (RUN.generation >> 2)]!,
      task: this.tasks[taskId] ?? UNKNOWN_TASK,
      taskId,
      jobId: bytes.toString('utf8', idAt, extraAt),
      attempt: i32[word + (RUN.attempt >> 2)]!,
      isRetry: (flags & FLAG.retry) !== 0,
      failed: (flags & FLAG.failed) !== 0,
      startEpochMs: f64[double + (RUN.startEpochMs >> 3)]!,
      durationMs: f64[double + (RUN.durationMs >> 3)]!,
      waitMs: known(f64[double + (RUN.waitMs >> 3)]!),
      cpuMs: f64[double + (RUN.cpuMs >> 3)]!,
      cpuQuality: CPU_QUALITIES[(flags >> FLAG.qualityShift) & 3]!,
      cpuSampled: (flags & FLAG.sampled) !== 0,
      blockMs: f64[double + (RUN.blockMs >> 3)]!,
      requests: i32[word + (RUN.requests >> 2)]!,
      bytesIn: f64[double + (RUN.bytesIn >> 3)]!,
      bytesOut: f64[double + (RUN.bytesOut >> 3)]!,
      payloadBytes: known(f64[double + (RUN.payloadBytes >> 3)]!),
      traceId: trace.slice(0, 32),
      spanId: trace.slice(32),
      exportSpan: (flags & FLAG.exportSpan) !== 0,
      extra:
        extraEnd === extraAt
          ? undefined
          : (JSON.parse(bytes.toString('utf8', extraAt, extraEnd)) as RunExtra),
    };
  }

  /** Runs in flight. */
  active(): ActiveRun[] {
    const now = this.now();
    const runs: ActiveRun[] = [];
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      const run = this.slot(slot, now);
      if (run !== undefined) runs.push(run);
    }
    return runs;
  }

  /** Runs in flight, without what is of text; start in ms of the writer's performance.now(). */
  inFlight(): { slot: number; generation: number; task: TaskKey; startMs: number }[] {
    const { i32, f64 } = this.shared;
    const runs: ReturnType<Inbox['inFlight']> = [];
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      const at = slotAt(slot);
      const generation = Atomics.load(i32, at >> 2);
      if ((generation & 1) === 0) continue;
      const task = this.tasks[i32[(at + SLOT.task) >> 2]!] ?? UNKNOWN_TASK;
      const startMs = f64[(at + SLOT.start) >> 3]!;
      if (Atomics.load(i32, at >> 2) === generation) runs.push({ slot, generation, task, startMs });
    }
    return runs;
  }

  /** The run in a slot; undefined when there is none, or when it changed while being read. */
  slot(slot: number, now: number = this.now()): ActiveRun | undefined {
    const { i32, f64, bytes } = this.shared;
    const at = slotAt(slot);
    const generation = Atomics.load(i32, at >> 2);
    if ((generation & 1) === 0) return undefined;
    const taskId = i32[(at + SLOT.task) >> 2]!;
    const traceLength = i32[(at + SLOT.traceLength) >> 2]!;
    const trace = bytes.toString('latin1', at + SLOT.trace, at + SLOT.trace + traceLength);
    const run: ActiveRun = {
      thread: this.thread,
      slot,
      generation,
      task: this.tasks[taskId] ?? UNKNOWN_TASK,
      taskId,
      jobId: bytes.toString('utf8', at + SLOT.id, at + SLOT.id + i32[(at + SLOT.idLength) >> 2]!),
      attempt: i32[(at + SLOT.attempt) >> 2]!,
      ageMs: Math.max(0, now - f64[(at + SLOT.start) >> 3]!),
      traceId: trace.slice(0, 32),
      spanId: trace.slice(32),
      cpuMs: f64[(at + SLOT.cpuMs) >> 3]!,
      requests: i32[(at + SLOT.requests) >> 2]!,
      bytesIn: f64[(at + SLOT.bytesIn) >> 3]!,
      bytesOut: f64[(at + SLOT.bytesOut) >> 3]!,
      timeoutMs: i32[(at + SLOT.timeoutMs) >> 2]!,
      lockMs: i32[(at + SLOT.lockMs) >> 2]!,
    };
    return Atomics.load(i32, at >> 2) === generation ? run : undefined;
  }

  /** Slot of the run that holds the thread; undefined when no run does, 'unknown' when it is not tracked. */
  current(): number | 'unknown' | undefined {
    const current = Atomics.load(this.shared.i32, I32.current);
    if (current >= 0) return current;
    return current === CURRENT.unknown ? 'unknown' : undefined;
  }

  /** Tells the main side how far the agent has come. */
  announce(stage: keyof typeof AGENT): void {
    Atomics.store(this.shared.i32, I32.agent, AGENT[stage]);
    Atomics.notify(this.shared.i32, I32.agent);
  }

  /** Answers every flush asked for up to `asked`. */
  answerFlush(asked: number): void {
    Atomics.store(this.shared.i32, I32.flushDone, asked);
    Atomics.notify(this.shared.i32, I32.flushDone);
  }
}

function known(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}
