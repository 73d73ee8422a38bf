import { AsyncLocalStorage } from 'node:async_hooks';
import type { FinishedRun } from '../bridge/outbox.ts';
import type { CpuQuality, DuplicateType, RunExtra } from '../bridge/protocol.ts';
import type { Handle } from './meters/handle.ts';
import type { Connection } from './network/connection.ts';

/** What an instrumentation knows of a run before it begins. */
export interface RunInfo {
  framework: string;
  queue: string;
  task: string;
  jobId: string;
  /** 1 for the first. */
  attempt: number;
  /** Whether the job has failed before; left out where the library does not tell. */
  isRetry?: boolean;
  /** How long the job was ready before this moment, ms; undefined where the library does not tell. */
  waitMs: number | undefined;
  payloadBytes: number | undefined;
  /** Trace context that the producer left on the job (`traceparent`, `tracestate`). */
  carrier: Readonly<Record<string, string>> | undefined;
  /** True when the library makes the consumer span itself: then that span is used. */
  ownSpan: boolean;
  /** The job object that the handler gets. Never kept: only looked for again when the run has ended. */
  job?: object | undefined;
  /** What job ids are unique within, as a 32-bit number; framework and queue where it is left out. */
  jobScope?: number | undefined;
  /** When the job was made, ms since the Unix epoch: tells a new job under an old id. */
  enqueuedMs?: number | undefined;
  /** When the library gives the run up, ms after its begin; undefined where it never does. */
  timeoutMs?: number | undefined;
  /** How long the job's lock lasts unless it is renewed, ms. */
  lockMs?: number | undefined;
  /** Whether what the handler gives back is a promise for which another one may stand. */
  isReplaceable?: boolean;
  /** Whether the application itself calls the handler, and may do anything with what it gives back, or nothing. */
  isDirect?: boolean;
  /** Has the library abort the signal that it gave to the handler; false where it gave none. */
  cancel?: ((reason: Error) => boolean) | undefined;
  /** Whether what a handler threw means that it failed; left out, everything does. */
  isFailure?: (error: unknown) => boolean;
}

/** What a handler threw. */
export interface Failure {
  error: unknown;
}

/** The span side of a run. */
export interface RunScope {
  /** Trace id and span id, 48 hex digits, or empty. */
  readonly trace: string;
  /** True when the agent makes the span from the run's record. */
  readonly exportSpan: boolean;
  /** Calls the handler with the span active; undefined where nobody can ask for it. */
  readonly enter: (<T>(call: () => T) => T) | undefined;
  end(run: Run, failure: Failure | undefined): RunExtra | undefined;
}

/** What is charged with the thread's time: a handler run, or the one cell for everything else. */
export interface Cell {
  /** Slot in the table of runs in flight, -1 for none. */
  readonly slot: number;
  /** Number of the task, -1 for none. */
  readonly taskId: number;
  cpuMs: number;
  /** Longest time without a break, ms. */
  blockMs: number;
  ended: boolean;
}

/** What a run gets when it begins. */
export interface RunStart {
  taskId: number;
  slot: number;
  generation: number;
  /** ms of performance.now(). */
  startMs: number;
  /** Count of changes of the metering mode: a run that sees one is not measured exactly. */
  meteringEpoch: number;
}

/** A handler run, with what it has used so far; when it has ended, it is its own record. */
export class Run implements Cell, FinishedRun {
  readonly framework: string;
  readonly queue: string;
  readonly task: string;
  readonly jobId: string;
  readonly attempt: number;
  readonly isRetry: boolean;
  readonly waitMs: number;
  readonly payloadBytes: number;
  readonly taskId: number;
  readonly slot: number;
  readonly generation: number;
  readonly startMs: number;
  readonly meteringEpoch: number;
  /** Undefined when it has ended. */
  scope: RunScope | undefined;
  readonly trace: string;
  readonly exportSpan: boolean;
  readonly isReplaceable: boolean;
  readonly isDirect: boolean;
  #isFailure: ((error: unknown) => boolean) | undefined;
  #cancel: ((reason: Error) => boolean) | undefined;
  #aborter: AbortController | undefined = undefined;
  /** Fails the run while its handler goes on, or never ends; undefined where nobody would learn of it. */
  reject: ((error: Error) => void) | undefined = undefined;
  cpuMs: number = 0;
  blockMs: number = 0;
  requests: number = 0;
  bytesIn: number = 0;
  bytesOut: number = 0;
  called: boolean = false;
  ended: boolean = false;
  /** What it has opened, some of it closed since; undefined where nothing. */
  handles: Handle[] | undefined = undefined;
  duplicate: DuplicateType | undefined = undefined;
  /** What it has opened or used to talk to others; undefined where nothing. */
  connections: Set<Connection> | undefined = undefined;
  failedRequests: number = 0;
  // Set at the end.
  openHandles: number = 0;
  failed: boolean = false;
  startEpochMs: number = 0;
  durationMs: number = 0;
  cpuQuality: CpuQuality = 'off';
  cpuSampled: boolean = false;
  extra: RunExtra | undefined = undefined;

  constructor(info: RunInfo, scope: RunScope, start: RunStart) {
    this.framework = info.framework;
    this.queue = info.queue;
    this.task = info.task;
    this.jobId = info.jobId;
    this.attempt = info.attempt;
    this.isRetry = info.isRetry === true;
    this.waitMs = info.waitMs === undefined ? Number.NaN : Math.max(0, info.waitMs);
    this.payloadBytes = info.payloadBytes ?? Number.NaN;
    this.isReplaceable = info.isReplaceable === true;
    this.isDirect = info.isDirect === true;
    this.#isFailure = info.isFailure;
    this.#cancel = info.cancel;
    this.scope = scope;
    this.trace = scope.trace;
    this.exportSpan = scope.exportSpan;
    this.taskId = start.taskId;
    this.slot = start.slot;
    this.generation = start.generation;
    this.startMs = start.startMs;
    this.meteringEpoch = start.meteringEpoch;
  }

  /** Aborted when an action asks for it. Made when it is first asked for. */
  get signal(): AbortSignal {
    this.#aborter ??= new AbortController();
    return this.#aborter.signal;
  }

  /** Aborts the run's signals. @returns whether the handler has any; it sees one aborted that it asks for later */
  abort(reason: Error): boolean {
    const isHeard = this.#aborter !== undefined;
    this.#aborter ??= new AbortController();
    this.#aborter.abort(reason);
    return this.#cancel?.(reason) === true || isHeard;
  }

  /** Lets go of what is the host's, at the end: a timer or a socket that outlives the run keeps the run. */
  letGo(): void {
    this.scope = undefined;
    this.extra = undefined;
    this.reject = undefined;
    this.#isFailure = undefined;
    this.#cancel = undefined;
  }

  /** Whether what was thrown means that the run failed. */
  isFailure(thrown: Failure | undefined): boolean {
    return thrown !== undefined && this.#isFailure?.(thrown.error) !== false;
  }
}

/** Which run the present code belongs to. Runs started within a run shadow it. */
export const runStorage: AsyncLocalStorage<Run> = new AsyncLocalStorage<Run>();
