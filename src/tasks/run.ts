import { performance } from 'node:perf_hooks';
import { types } from 'node:util';
import type { Outbox } from '../bridge/outbox.ts';
import { I32, type RunExtra } from '../bridge/protocol.ts';
import { threadMs } from '../model/clock.ts';
import { setImmediate } from '../model/native.ts';
import { type Failure, Run, type RunInfo, type RunScope, runStorage } from './context.ts';
import type { CurrentRun } from './current-run.ts';
import type { CpuMeter } from './meters/cpu.ts';
import type { Duplicates } from './meters/duplicates.ts';
import { isOpen } from './meters/handle.ts';
import type { HandleMeter } from './meters/handles.ts';
import type { JobSample } from './meters/jobs.ts';
import type { NetworkMeter } from './meters/network.ts';
import type { Tally } from './tally.ts';

export type { RunInfo, RunScope } from './context.ts';

export interface TasksOptions {
  outbox: Outbox;
  cpu: CpuMeter;
  openScope: (info: RunInfo) => RunScope;
  onError: (part: string, error: unknown) => void;
  /** Whether requests are counted; true if left out. */
  network?: boolean;
  networkMeter?: NetworkMeter | undefined;
  /** Whether a run whose caller waits for a promise can be made to fail while its handler never ends. */
  guard?: boolean;
  handles?: HandleMeter | undefined;
  /** Absent where jobs are not looked after. */
  jobs?: { readonly sample: JobSample; readonly duplicates: Duplicates; readonly tally: Tally } | undefined;
}

const TIME_ORIGIN = performance.timeOrigin;
/** Of async functions, whatever the program has for the global one. */
const NativePromise = (async () => {})().constructor as PromiseConstructor;

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
    const run = this.#open(describe);
    if (run === undefined) return call();
    if (run.isReplaceable && this.#options.guard === true)
      return this.#settle(run, this.#guarded(run, call) as T);
    let result: T;
    try {
      result = runStorage.run(run, this.#enter, run, call) as T;
    } catch (error) {
      if (run.called) {
        this.#close(run, { error });
        throw error;
      }
      this.#options.onError('run', error);
      this.#close(run, undefined);
      return call();
    }
    return this.#settle(run, result);
  }

  /**
   * A promise in the place of the handler's, which may fail before that. The handler begins in a turn of the loop of its own, so that
   * neither code of the caller's nor microtasks of others are lost with it when it is ended.
   */
  #guarded<T>(run: Run, call: () => T): Promise<T> {
    const begin = (): T => {
      try {
        return runStorage.run(run, this.#enter, run, call) as T;
      } catch (error) {
        if (run.called) throw error;
        this.#options.onError('run', error);
        return call();
      }
    };
    return new NativePromise((resolve, reject) => {
      run.reject = reject;
      const start = (): void => {
        try {
          const result = begin();
          // Listened to at once: microtasks in between would be lost if another run were ended just then.
          if (isPromise(result)) (result as Promise<T>).then(resolve, reject);
          else resolve(result);
        } catch (error) {
          reject(error);
        }
      };
      // Node.js bears the end of a promise's continuation, not that of a callback.
      setImmediate(() => void NativePromise.resolve().then(start));
    });
  }

  /** The run in a slot of the table. */
  runIn(slot: number): Run | undefined {
    return this.#active[slot];
  }

  /** Runs in flight that have a slot. */
  get inFlight(): number {
    return this.#active.reduce((count, run) => (run === undefined ? count : count + 1), 0);
  }

  /** The run that the calling code belongs to. */
  current(): CurrentRun | undefined {
    const run = runStorage.getStore();
    if (run === undefined) return undefined;
    this.#options.networkMeter?.settle(run);
    this.#options.cpu.bringUpToDate(run);
    const { queue, task, jobId, attempt, cpuMs, requests, failedRequests, bytesIn, bytesOut } = run;
    const cpuQuality = this.#options.cpu.quality(run);
    return {
      queue,
      task,
      jobId,
      attempt,
      cpuMs,
      cpuQuality,
      requests,
      failedRequests,
      bytesIn,
      bytesOut,
      payloadBytes: Number.isNaN(run.payloadBytes) ? undefined : run.payloadBytes,
      openHandles: run.handles?.filter(isOpen).length ?? 0,
      duplicate: run.duplicate,
      get signal() {
        return run.signal;
      },
    };
  }

  /** Shows the agent what the runs in flight have used so far. */
  publish(): void {
    const { cpu, outbox } = this.#options;
    for (const run of this.#active) {
      if (run === undefined) continue;
      const { bytesIn, bytesOut, requests } = run;
      // What the agent reads here counts as exact.
      const cpuMs = cpu.quality(run) === 'sync_only' ? 0 : run.cpuMs;
      outbox.usage(run.slot, { cpuMs, bytesIn, bytesOut, requests });
    }
  }

  #open(describe: () => RunInfo): Run | undefined {
    const { outbox, cpu, openScope, onError } = this.#options;
    try {
      const info = describe();
      const taskId = outbox.taskId(info.framework, info.queue, info.task);
      if (taskId === undefined) return undefined;
      const scope = openScope(info);
      const startMs = threadMs();
      const slot = outbox.open(taskId, info.jobId, info.attempt, startMs, scope.trace, info);
      const generation = outbox.generation(slot);
      const run = new Run(info, scope, { taskId, slot, generation, startMs, meteringEpoch: cpu.epoch });
      if (slot >= 0) this.#active[slot] = run;
      if (this.#options.jobs !== undefined) this.#beginJob(run, info);
      return run;
    } catch (error) {
      onError('run', error);
      return undefined;
    }
  }

  #beginJob(run: Run, info: RunInfo): void {
    const { sample, duplicates, tally } = this.#options.jobs!;
    if (info.job !== undefined) sample.begin(run.slot, run.taskId, info.job);
    run.duplicate = duplicates.begin(run.slot, info);
    if (run.duplicate !== undefined) tally.add(run.taskId, run.duplicate, 1);
  }

  readonly #enter = (run: Run, call: () => unknown): unknown => {
    const enter = run.scope?.enter;
    const { cpu } = this.#options;
    return enter === undefined ? cpu.enter(run, call) : enter(() => cpu.enter(run, call));
  };

  /** Closes the run when what its handler gave back is settled. @returns that, or what stands for it */
  #settle<T>(run: Run, result: T): T {
    if (run.isDirect) return this.#settleDirect(run, result);
    if (isPromise(result)) {
      // The caller gets the handler's own promise. Ours is a listener beside theirs, and comes first.
      this.#closeAfter(run, result);
      return result;
    }
    if (isThenable(result)) {
      // A foreign thenable may start its work in `then` (query builders do), so it must not be asked twice.
      const promise = NativePromise.resolve(result);
      this.#closeAfter(run, promise);
      return promise as T;
    }
    this.#close(run, undefined);
    return result;
  }

  /** A listener of ours would hide from Node.js that nobody listens, and a thenable that is asked may start work that nobody wants. */
  #settleDirect<T>(run: Run, result: T): T {
    if (isPlainPromise(result))
      return result.then(
        (value) => {
          this.#close(run, undefined);
          return value;
        },
        (error: unknown) => {
          this.#close(run, { error });
          throw error;
        },
      ) as T;
    if (isPromise(result) && !isLazy(result)) this.#closeAfter(run, result);
    else this.#close(run, undefined);
    return result;
  }

  /** A fault of the host's tracer, or a hostile error, is not to take the run with it. */
  #endScope(run: Run, failure: Failure | undefined): RunExtra | undefined {
    try {
      return run.scope?.end(run, failure);
    } catch (error) {
      this.#options.onError('run', error);
      return undefined;
    }
  }

  #closeAfter(run: Run, promise: Promise<unknown>): void {
    promise.then(
      () => this.#close(run, undefined),
      (error: unknown) => this.#close(run, { error }),
    );
  }

  #close(run: Run, thrown: Failure | undefined): void {
    const { outbox, cpu, onError } = this.#options;
    try {
      cpu.close(run);
      if (run.connections !== undefined) this.#options.networkMeter?.ended(run);
      run.ended = true;
      outbox.close(run.slot);
      if (run.slot >= 0) this.#active[run.slot] = undefined;
      const failure = run.isFailure(thrown) ? thrown : undefined;
      run.failed = failure !== undefined;
      if (this.#options.network === false) run.requests = -1;
      this.#options.jobs?.sample.end(run.slot);
      this.#options.jobs?.duplicates.end(run.slot, thrown === undefined);
      run.startEpochMs = TIME_ORIGIN + run.startMs;
      run.durationMs = threadMs() - run.startMs;
      run.cpuQuality = cpu.quality(run);
      run.cpuSampled = cpu.isSampled(run);
      if (run.handles !== undefined) run.openHandles = this.#options.handles?.ended(run) ?? 0;
      run.extra = this.#endScope(run, failure);
      if (run.openHandles > 0) run.extra = { ...run.extra, openHandles: run.openHandles };
      if (run.failedRequests > 0) run.extra = { ...run.extra, failedRequests: run.failedRequests };
      if (run.duplicate !== undefined) run.extra = { ...run.extra, duplicate: run.duplicate };
      outbox.run(run);
    } catch (error) {
      onError('run', error);
    }
    run.letGo();
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

/** Kinds of the agent's faults that are told; the others are like these. */
const MAX_AGENT_FAULTS = 10;

/** Says what the agent thread has died of: each kind of fault once, as it may die of it again and again. */
export function agentFaultReporter(warn: (text: string) => void): (error: unknown) => void {
  const told = new Set<string>();
  return (error) => {
    const kind = String(error);
    if (told.has(kind) || told.size === MAX_AGENT_FAULTS) return;
    told.add(kind);
    const what = error instanceof Error ? error.stack : kind;
    warn(`fault in agent thread, which is started again, jobs are not affected: ${what}`);
  };
}

/** Of this realm or another; asks no proxy. */
function isPromise(value: unknown): value is Promise<unknown> {
  return types.isPromise(value);
}

/** A promise that has nothing of its own, so that another one is as good. */
function isPlainPromise(value: unknown): value is Promise<unknown> {
  return (
    isPromise(value) &&
    Object.getPrototypeOf(value) === NativePromise.prototype &&
    // Symbols of the async hooks are there on Node.js 22.
    Object.getOwnPropertyNames(value).length === 0
  );
}

/** A subclass's promise with a `then` of its own, which may be what starts its work. */
function isLazy(promise: Promise<unknown>): boolean {
  return promise instanceof NativePromise && promise.then !== NativePromise.prototype.then;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    value !== null &&
    (typeof value === 'object' || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
