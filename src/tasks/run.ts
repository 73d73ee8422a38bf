import { performance } from 'node:perf_hooks';
import type { Outbox } from '../bridge/outbox.ts';
import { I32, type RunExtra } from '../bridge/protocol.ts';
import { type CurrentRun, type Failure, Run, runStorage } from './context.ts';
import type { CpuMeter } from './meters/cpu.ts';

/** What an instrumentation knows of a run before it begins. */
export interface RunInfo {
  framework: string;
  queue: string;
  task: string;
  jobId: string;
  /** 1 for the first. */
  attempt: number;
  /** How long the job was ready before this moment, ms; undefined where the library does not tell. */
  waitMs: number | undefined;
  payloadBytes: number | undefined;
  /** Trace context that the producer left on the job (`traceparent`, `tracestate`). */
  carrier: Readonly<Record<string, string>> | undefined;
  /** True when the library makes the consumer span itself: then that span is used. */
  ownSpan: boolean;
  /** Whether what a handler threw means that it failed; left out, everything does. */
  isFailure?: (error: unknown) => boolean;
}

/** The span side of a run. */
export interface RunScope {
  /** Trace id and span id, 48 hex digits, or empty. */
  readonly trace: string;
  /** True when the agent makes the span from the run's record. */
  readonly exportSpan: boolean;
  /** Calls the handler with the span active. */
  enter<T>(call: () => T): T;
  end(run: Run, failure: Failure | undefined): RunExtra | undefined;
}

export interface TasksOptions {
  outbox: Outbox;
  cpu: CpuMeter;
  openScope: (info: RunInfo) => RunScope;
  onError: (part: string, error: unknown) => void;
}

const TIME_ORIGIN = performance.timeOrigin;

/** Turns handler calls into metered runs. Whatever fails in here, the handler is called exactly once, as it was. */
export class Tasks {
  readonly #options: TasksOptions;
  /** Runs in flight by their slot. */
  readonly #active: (Run | undefined)[] = [];

  constructor(options: TasksOptions) {
    this.#options = options;
  }

  /** Calls a handler as a run; gives back what it gives, throws what it throws. */
  run<T>(describe: () => RunInfo, call: () => T): T {
    const opened = this.#open(describe);
    if (opened === undefined) return call();
    const { run, scope } = opened;
    let called = false;
    const once = (): T => {
      called = true;
      return call();
    };
    let result: T;
    try {
      result = runStorage.run(run, () => scope.enter(() => this.#options.cpu.enter(run, once)));
    } catch (error) {
      if (called) {
        this.#close(run, scope, run.failure(error));
        throw error;
      }
      this.#options.onError('run', error);
      this.#close(run, scope, undefined);
      return call();
    }
    return this.#settle(run, scope, result);
  }

  /** The run that the calling code belongs to. */
  current(): CurrentRun | undefined {
    const run = runStorage.getStore();
    if (run === undefined) return undefined;
    const { queue, task, jobId, attempt, cpuMs, requests, bytesIn, bytesOut } = run;
    const cpuQuality = this.#options.cpu.quality(run);
    return { queue, task, jobId, attempt, cpuMs, cpuQuality, requests, bytesIn, bytesOut };
  }

  /** Shows the agent what the runs in flight have used so far. */
  publish(): void {
    for (const run of this.#active) if (run !== undefined) this.#options.outbox.usage(run.slot, run);
  }

  #open(describe: () => RunInfo): { run: Run; scope: RunScope } | undefined {
    const { outbox, cpu, openScope, onError } = this.#options;
    try {
      const info = describe();
      const taskId = outbox.taskId(info.framework, info.queue, info.task);
      if (taskId === undefined) return undefined;
      const scope = openScope(info);
      const startMs = performance.now();
      const slot = outbox.open(taskId, info.jobId, info.attempt, startMs, scope.trace);
      const run = new Run({
        framework: info.framework,
        queue: info.queue,
        task: info.task,
        jobId: info.jobId,
        attempt: info.attempt,
        taskId,
        slot,
        generation: outbox.generation(slot),
        startMs,
        meteringEpoch: cpu.epoch,
        waitMs: info.waitMs === undefined ? Number.NaN : Math.max(0, info.waitMs),
        payloadBytes: info.payloadBytes ?? Number.NaN,
        isFailure: info.isFailure,
      });
      if (slot >= 0) this.#active[slot] = run;
      return { run, scope };
    } catch (error) {
      onError('run', error);
      return undefined;
    }
  }

  #settle<T>(run: Run, scope: RunScope, result: T): T {
    if (result instanceof Promise) {
      // The caller gets the handler's own promise. Ours is a listener beside theirs, and comes first.
      result.then(
        () => this.#close(run, scope, undefined),
        (error: unknown) => this.#close(run, scope, run.failure(error)),
      );
      return result;
    }
    if (isThenable(result)) {
      // A foreign thenable may start its work in `then` (query builders do), so it must not be asked twice.
      const promise = Promise.resolve(result);
      this.#settle(run, scope, promise);
      return promise as T;
    }
    this.#close(run, scope, undefined);
    return result;
  }

  #close(run: Run, scope: RunScope, failure: Failure | undefined): void {
    const { outbox, cpu, onError } = this.#options;
    try {
      cpu.close(run);
      run.ended = true;
      outbox.close(run.slot);
      if (run.slot >= 0) this.#active[run.slot] = undefined;
      const extra = scope.end(run, failure);
      outbox.run({
        slot: run.slot,
        generation: run.generation,
        taskId: run.taskId,
        jobId: run.jobId,
        attempt: run.attempt,
        failed: failure !== undefined,
        startEpochMs: TIME_ORIGIN + run.startMs,
        durationMs: performance.now() - run.startMs,
        waitMs: run.waitMs,
        cpuMs: run.cpuMs,
        cpuQuality: cpu.quality(run),
        blockMs: run.blockMs,
        requests: run.requests,
        bytesIn: run.bytesIn,
        bytesOut: run.bytesOut,
        payloadBytes: run.payloadBytes,
        trace: scope.trace,
        exportSpan: scope.exportSpan,
        extra,
      });
    } catch (error) {
      onError('run', error);
    }
  }
}

/** Counts a fault for the agent to export, and says the first of each part on standard error. */
export function faultReporter(
  i32: Int32Array,
  warn: (text: string) => void,
): (part: string, error: unknown) => void {
  const told = new Set<string>();
  return (part, error) => {
    i32[I32.errors]!++;
    if (told.has(part)) return;
    told.add(part);
    warn(`fault in ${part}, jobs are not affected: ${error instanceof Error ? error.stack : String(error)}`);
  };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    value !== null &&
    (typeof value === 'object' || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
