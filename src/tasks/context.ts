import { AsyncLocalStorage } from 'node:async_hooks';
import type { CpuQuality } from '../bridge/protocol.ts';

/** What is charged with the thread's time: a handler run, or the one cell for everything else. */
export interface Cell {
  /** Slot in the table of runs in flight, -1 for none. */
  readonly slot: number;
  cpuMs: number;
  /** Longest time without a break, ms. */
  blockMs: number;
  ended: boolean;
}

/** What a handler threw. */
export interface Failure {
  error: unknown;
}

/** A handler run in flight, with what it has used so far. */
export class Run implements Cell {
  readonly framework: string;
  readonly queue: string;
  readonly task: string;
  readonly jobId: string;
  readonly attempt: number;
  readonly taskId: number;
  readonly slot: number;
  /** Of the slot, so that the run is not taken for its successor there. */
  readonly generation: number;
  /** ms of performance.now(). */
  readonly startMs: number;
  /** Count of changes of the metering mode at the start: a run that saw one is not measured exactly. */
  readonly meteringEpoch: number;
  readonly waitMs: number;
  readonly payloadBytes: number;
  readonly #isFailure: ((error: unknown) => boolean) | undefined;
  cpuMs: number = 0;
  blockMs: number = 0;
  requests: number = 0;
  bytesIn: number = 0;
  bytesOut: number = 0;
  ended: boolean = false;

  constructor(run: {
    framework: string;
    queue: string;
    task: string;
    jobId: string;
    attempt: number;
    taskId: number;
    slot: number;
    generation: number;
    startMs: number;
    meteringEpoch: number;
    waitMs: number;
    payloadBytes: number;
    isFailure: ((error: unknown) => boolean) | undefined;
  }) {
    this.framework = run.framework;
    this.queue = run.queue;
    this.task = run.task;
    this.jobId = run.jobId;
    this.attempt = run.attempt;
    this.taskId = run.taskId;
    this.slot = run.slot;
    this.generation = run.generation;
    this.startMs = run.startMs;
    this.meteringEpoch = run.meteringEpoch;
    this.waitMs = run.waitMs;
    this.payloadBytes = run.payloadBytes;
    this.#isFailure = run.isFailure;
  }

  /** What was thrown, if it means that the run failed. */
  failure(error: unknown): Failure | undefined {
    return this.#isFailure?.(error) === false ? undefined : { error };
  }
}

/** Which run the present code belongs to. Runs started within a run shadow it. */
export const runStorage: AsyncLocalStorage<Run> = new AsyncLocalStorage<Run>();

/** What a handler may read of its own run. */
export interface CurrentRun {
  readonly queue: string;
  readonly task: string;
  readonly jobId: string;
  readonly attempt: number;
  /** CPU time so far in ms; what it is worth says `cpuQuality`. */
  readonly cpuMs: number;
  readonly cpuQuality: CpuQuality;
  /** Requests started so far, and the bytes of those that ended. */
  readonly requests: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}
