import type { EventFile } from './event-file.ts';
import {
  type BreakerRow,
  COLLECTION,
  type Collection,
  CPU_QUALITIES,
  type CpuQuality,
  FLAG,
  I32,
  KIND,
  MAX_ID_BYTES,
  MAX_NAME,
  RING_BYTES,
  RUN,
  type RunExtra,
  ringAt,
  ringRest,
  type ServerKey,
  type Shared,
  SLOT,
  SLOT_COUNT,
  slotAt,
  type TallyRow,
  type TaskKey,
  type Told,
  type TrafficRow,
} from './protocol.ts';
import { ToldOnce } from './told.ts';

/** What a finished run leaves behind. Times in ms, sizes in bytes; NaN where unknown. */
export interface FinishedRun {
  /** What `open` gave, and `generation` of it, both as of the run's start. */
  slot: number;
  generation: number;
  taskId: number;
  jobId: string;
  attempt: number;
  /** Whether the job is known to have failed before. */
  isRetry: boolean;
  failed: boolean;
  startEpochMs: number;
  durationMs: number;
  waitMs: number;
  cpuMs: number;
  cpuQuality: CpuQuality;
  /** Whether the CPU time of its task comes from samples. */
  cpuSampled: boolean;
  blockMs: number;
  requests: number;
  bytesIn: number;
  bytesOut: number;
  payloadBytes: number;
  /** Trace id and span id, 32 + 16 hex digits; empty without a span. */
  trace: string;
  /** True when the agent is to export the span, false when the host's SDK does. */
  exportSpan: boolean;
  extra: RunExtra | undefined;
}

/** What a run has used: ms of CPU, bytes, requests. */
export interface Usage {
  readonly cpuMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly requests: number;
}

/** What a library sets for a run, ms. */
export interface RunTimes {
  /** When it gives the run up. */
  readonly timeoutMs?: number | undefined;
  /** How long its lock lasts unless it is renewed: then another worker takes the job. */
  readonly lockMs?: number | undefined;
}

const NO_TIMES: RunTimes = {};
const NO_USAGE: Usage = { cpuMs: 0, bytesIn: 0, bytesOut: 0, requests: 0 };
const MAX_EXTRA_BYTES = 16_384;

/**
 * The main side's end of the shared memory. Writing never waits and never throws: what does not fit is dropped,
 * newest first, and counted.
 */
export class Outbox {
  readonly shared: Shared;
  /** Called when a run begins while none is in flight. */
  onBusy: (() => void) | undefined;
  readonly #maxTasks: number;
  readonly #events: EventFile | undefined;
  readonly #taskIds = new Map<string, Map<string, Map<string, number>>>();
  #taskCount = 0;
  readonly #free: Int32Array = Int32Array.from({ length: SLOT_COUNT }, (_, i) => SLOT_COUNT - 1 - i);
  #freeCount: number = SLOT_COUNT;
  #queuesOverCap = 0;
  readonly #told = new ToldOnce();

  /** @param events where runs are written as they begin and end; nowhere if left out */
  constructor(shared: Shared, maxTasks: number, events?: EventFile) {
    this.shared = shared;
    this.#maxTasks = maxTasks;
    this.#events = events;
  }

  /**
   * The number of a task. Beyond `maxTasks` names a task counts as "other" of its queue, and beyond as many queues as
   * "other" of queue "other". Undefined while the agent cannot be told of the new number.
   */
  taskId(framework: string, queue: string, task: string): number | undefined {
    return this.#taskId(cutName(framework), cutName(queue), cutName(task));
  }

  #taskId(framework: string, queue: string, task: string): number | undefined {
    const known = this.#known(framework, queue, task);
    if (known !== undefined) return known;
    if (this.#taskCount < this.#maxTasks) return this.#intern({ framework, queue, task });
    this.shared.i32[I32.foldedRuns]!++;
    const other = this.#known(framework, queue, 'other');
    if (other !== undefined) return other;
    if (this.#queuesOverCap < this.#maxTasks) {
      this.#queuesOverCap++;
      return this.#intern({ framework, queue, task: 'other' });
    }
    const last: TaskKey = { framework: 'other', queue: 'other', task: 'other' };
    return this.#known('other', 'other', 'other') ?? this.#intern(last);
  }

  /** Three maps deep, as joining the names for one map costs more. */
  #known(framework: string, queue: string, task: string): number | undefined {
    return this.#taskIds.get(framework)?.get(queue)?.get(task);
  }

  #intern(names: TaskKey): number | undefined {
    const id = this.#taskCount;
    // A name may be a part of a longer string, which V8 keeps as long as the part.
    const key = JSON.parse(JSON.stringify(names)) as TaskKey;
    if (!this.#writeJson(KIND.task, { id, ...key })) return undefined;
    this.#taskCount++;
    const queues = this.#taskIds.get(key.framework) ?? new Map<string, Map<string, number>>();
    this.#taskIds.set(key.framework, queues);
    const tasks = queues.get(key.queue) ?? new Map<string, number>();
    queues.set(key.queue, tasks);
    tasks.set(key.task, id);
    this.#told.task(id, key);
    this.#events?.named(id, key);
    return id;
  }

  /**
   * Enters a run into the table and returns its slot, or -1 when the table is full.
   *
   * @param times what the run's library sets, ms; 0 for none
   */
  open(
    taskId: number,
    jobId: string,
    attempt: number,
    startMs: number,
    trace: string,
    times: RunTimes = NO_TIMES,
  ): number {
    const { i32, f64, bytes } = this.shared;
    if (this.#freeCount === 0) {
      i32[I32.droppedTable]!++;
      return -1;
    }
    const slot = this.#free[--this.#freeCount]!;
    if (i32[I32.inFlight]!++ === 0) this.onBusy?.();
    const at = slotAt(slot);
    i32[(at + SLOT.task) >> 2] = taskId;
    i32[(at + SLOT.attempt) >> 2] = attempt;
    f64[(at + SLOT.start) >> 3] = startMs;
    this.#writeUsage(at, NO_USAGE);
    i32[(at + SLOT.timeoutMs) >> 2] = times.timeoutMs ?? 0;
    i32[(at + SLOT.lockMs) >> 2] = times.lockMs ?? 0;
    i32[(at + SLOT.traceLength) >> 2] = trace.length;
    if (trace !== '') bytes.write(trace, at + SLOT.trace, trace.length, 'latin1');
    i32[(at + SLOT.idLength) >> 2] = bytes.write(jobId, at + SLOT.id, MAX_ID_BYTES, 'utf8');
    Atomics.add(i32, (at + SLOT.generation) >> 2, 1);
    this.#events?.opened(slot);
    return slot;
  }

  /** Shows what a run in flight has used so far. */
  usage(slot: number, usage: Usage): void {
    if (slot >= 0) this.#writeUsage(slotAt(slot), usage);
  }

  #writeUsage(at: number, usage: Usage): void {
    const { i32, f64 } = this.shared;
    f64[(at + SLOT.cpuMs) >> 3] = usage.cpuMs;
    f64[(at + SLOT.bytesIn) >> 3] = usage.bytesIn;
    f64[(at + SLOT.bytesOut) >> 3] = usage.bytesOut;
    i32[(at + SLOT.requests) >> 2] = usage.requests;
  }

  close(slot: number): void {
    if (slot < 0) return;
    Atomics.add(this.shared.i32, (slotAt(slot) + SLOT.generation) >> 2, 1);
    this.#events?.closed(slot);
    this.#free[this.#freeCount++] = slot;
    this.shared.i32[I32.inFlight]!--;
  }

  /** Generation of a slot: what tells a run from its successor in the same slot. */
  generation(slot: number): number {
    return slot < 0 ? 0 : this.shared.i32[(slotAt(slot) + SLOT.generation) >> 2]!;
  }

  run(run: FinishedRun): void {
    const { i32, f64, bytes } = this.shared;
    const extra = run.extra === undefined ? '' : boundedJson(run.extra);
    const most = RUN.text + run.trace.length + MAX_ID_BYTES + 3 * extra.length;
    const at = this.#reserve(most);
    if (at < 0) return;
    let end = at + RUN.text;
    if (run.trace !== '') end += bytes.write(run.trace, end, run.trace.length, 'latin1');
    const idLength = bytes.write(run.jobId, end, MAX_ID_BYTES, 'utf8');
    end += idLength;
    const extraLength = extra === '' ? 0 : bytes.write(extra, end, 3 * extra.length, 'utf8');
    end += extraLength;
    const word = at >> 2;
    i32[word + (RUN.task >> 2)] = run.taskId;
    i32[word + (RUN.flags >> 2)] =
      (run.failed ? FLAG.failed : 0) |
      (run.exportSpan ? FLAG.exportSpan : 0) |
      (run.isRetry ? FLAG.retry : 0) |
      (run.cpuSampled ? FLAG.sampled : 0) |
      (CPU_QUALITIES.indexOf(run.cpuQuality) << FLAG.qualityShift);
    i32[word + (RUN.slot >> 2)] = run.slot;
    i32[word + (RUN.generation >> 2)] = run.generation;
    i32[word + (RUN.attempt >> 2)] = run.attempt;
    i32[word + (RUN.requests >> 2)] = run.requests;
    i32[word + (RUN.traceLength >> 2)] = run.trace.length;
    i32[word + (RUN.idLength >> 2)] = idLength;
    i32[word + (RUN.extraLength >> 2)] = extraLength;
    const double = at >> 3;
    f64[double + (RUN.startEpochMs >> 3)] = run.startEpochMs;
    f64[double + (RUN.durationMs >> 3)] = run.durationMs;
    f64[double + (RUN.waitMs >> 3)] = run.waitMs;
    f64[double + (RUN.cpuMs >> 3)] = run.cpuMs;
    f64[double + (RUN.blockMs >> 3)] = run.blockMs;
    f64[double + (RUN.bytesIn >> 3)] = run.bytesIn;
    f64[double + (RUN.bytesOut >> 3)] = run.bytesOut;
    f64[double + (RUN.payloadBytes >> 3)] = run.payloadBytes;
    this.#commit(at, KIND.run, end - at);
  }

  /** Hands over an ended span of the application or of a library, as plain data. */
  span(span: object): void {
    this.#writeJson(KIND.span, span);
  }

  /** Tells the agent of a queue, as plain data; false when it could not be told. */
  queue(seen: object): boolean {
    this.#told.queue(boundedJson(seen));
    return this.#writeJson(KIND.queue, seen);
  }

  /** Tells the agent what was counted beside the runs; false when it could not be told. */
  tally(rows: readonly TallyRow[]): boolean {
    if (!this.#writeJson(KIND.tally, rows)) return false;
    this.#told.tally(rows);
    return true;
  }

  /** Tells the agent what has changed about a circuit breaker; false when it could not be told. */
  breaker(row: BreakerRow): boolean {
    if (!this.#writeJson(KIND.breaker, row)) return false;
    this.#told.breaker(row);
    return true;
  }

  /** Tells the agent of a server and its number; false when it could not be told. */
  server(server: ServerKey & { readonly id: number }): boolean {
    if (!this.#writeJson(KIND.server, server)) return false;
    this.#told.server(server);
    return true;
  }

  /** Tells the agent what was exchanged with servers; false when it could not be told. */
  traffic(rows: readonly TrafficRow[]): boolean {
    return this.#writeJson(KIND.traffic, rows);
  }

  /** What another agent has to know that comes in place of the one that was told. */
  told(): Told {
    return this.#told.all(this.shared.i32[I32.ringHead]!);
  }

  /** The full collection that the agent waits for. */
  get collectionAsked(): 'natural' | 'exact' | undefined {
    const { i32 } = this.shared;
    if (Atomics.load(i32, I32.gcAsked) === i32[I32.gcDone]) return undefined;
    return Atomics.load(i32, I32.gcExact) === 1 ? 'exact' : 'natural';
  }

  /** Tells the agent of a full collection. It goes through the ring so that the agent knows which runs had ended before it. */
  collection({ exact, pauseMs, heapAfter, external }: Collection): void {
    const { i32, f64 } = this.shared;
    const at = this.#reserve(COLLECTION.bytes);
    if (at >= 0) {
      f64[(at + COLLECTION.pauseMs) >> 3] = pauseMs;
      f64[(at + COLLECTION.heapAfter) >> 3] = heapAfter;
      f64[(at + COLLECTION.external) >> 3] = external;
      f64[(at + COLLECTION.exact) >> 3] = exact ? 1 : 0;
      this.#commit(at, KIND.collection, COLLECTION.bytes);
    }
    Atomics.store(i32, I32.gcDone, Atomics.load(i32, I32.gcAsked));
  }

  #writeJson(kind: number, value: object): boolean {
    const text = boundedJson(value);
    const at = this.#reserve(8 + 3 * text.length);
    if (at < 0) return false;
    const length = this.shared.bytes.write(text, at + 8, 3 * text.length, 'utf8');
    this.#commit(at, kind, 8 + length);
    return true;
  }

  /** Byte offset where a record of at most `most` bytes may be written in one piece, or -1 (counted). */
  #reserve(most: number): number {
    const { i32 } = this.shared;
    const size = (most + 7) & ~7;
    const head = i32[I32.ringHead]!;
    const used = (head - Atomics.load(i32, I32.ringTail)) >>> 0;
    const rest = ringRest(head);
    const padding = rest < size ? rest : 0;
    if (used + padding + size > RING_BYTES) {
      i32[I32.droppedRing]!++;
      return -1;
    }
    if (padding > 0) this.#commit(ringAt(head), KIND.padding, padding);
    return ringAt(i32[I32.ringHead]!);
  }

  #commit(at: number, kind: number, length: number): void {
    const { i32 } = this.shared;
    const size = (length + 7) & ~7;
    // A padding to the end of the ring is told by its length, which no record has: it may be as long as the ring.
    i32[at >> 2] = kind === KIND.padding ? size : length;
    i32[(at >> 2) + 1] = kind;
    Atomics.store(i32, I32.ringHead, (i32[I32.ringHead]! + size) | 0);
  }
}

function cutName(name: string): string {
  return name.length <= MAX_NAME ? name : name.slice(0, MAX_NAME);
}

function boundedJson(value: object): string {
  try {
    const text = JSON.stringify(value);
    return text.length <= MAX_EXTRA_BYTES ? text : shortened(value);
  } catch {
    return '{}';
  }
}

/** Keeps what identifies a record when its free-form parts are over the bound. */
function shortened(value: object): string {
  const kept: Record<string, unknown> = { truncated: true };
  for (const [key, part] of Object.entries(value)) {
    const text = JSON.stringify(part);
    if (text !== undefined && text.length <= 2048) kept[key] = part;
  }
  return JSON.stringify(kept);
}
