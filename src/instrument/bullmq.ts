import { types } from 'node:util';
import type { Job, Worker } from 'bullmq';
import type { RunInfo } from '../tasks/run.ts';
import type { WorkerControls } from '../tasks/workers.ts';
import {
  attemptOf,
  carrierOf,
  isFailure,
  isRetry,
  isWaitingChildren,
  type JobFields,
  ReadyTimes,
  waitMs,
} from './bullmq-job.ts';
import type { Host } from './host.ts';
import { JobScopes } from './job-scope.ts';
import { replaceMethod } from './patch.ts';
import { targetOf } from './redis-connection.ts';

/** The parts of BullMQ's classes that are used here; some are protected in its types, all are public in JavaScript. */
interface WorkerInternals {
  name: string;
  qualifiedName?: string;
  opts: { telemetry?: unknown; connection?: unknown; prefix?: unknown; lockDuration?: number };
  childPool?: unknown;
  cancelJob?(id: string, reason: string): boolean;
}

interface WorkerClass {
  prototype: Worker;
}

interface ChildProcessorClass {
  prototype: object;
}

/** A job as it is sent to a sandboxed processor. */
interface JobJson extends JobFields {
  data: string;
  queueName?: string;
  queueQualifiedName?: string;
}

/** Jobs that were fetched and have not begun: few at a time. */
const PENDING = 128;

/**
 * Payload sizes of jobs that were fetched and have not begun, oldest out first. Not a `Map`: where entries come and go all the time it
 * leaves its outgrown tables behind, each with its jobs and the next table, and one that has grown old keeps all after it in memory.
 */
class Payloads {
  readonly #jobs: (object | undefined)[] = Array.from({ length: PENDING }, () => undefined);
  readonly #sizes = new Float64Array(PENDING);
  #next = 0;

  set(job: object, size: number): void {
    this.#jobs[this.#next] = job;
    this.#sizes[this.#next] = size;
    this.#next = (this.#next + 1) % PENDING;
  }

  take(job: object): number | undefined {
    const at = this.#jobs.indexOf(job);
    if (at < 0) return undefined;
    this.#jobs[at] = undefined;
    // What was fetched last mostly begins next.
    if (at === this.#next - 1) this.#next = at;
    return this.#sizes[at];
  }
}

/**
 * Every attempt of every job goes through `callProcessJob(job, token, signal)`: priority, delayed, repeatable, flow and
 * rate-limited ones alike. A sandboxed processor's runs are metered in its child, where the work is.
 */
export function patchWorker(exported: unknown, { tasks, sdk, queueSeen, workers }: Host): () => void {
  const prototype = (exported as WorkerClass).prototype;
  const payloads = new Payloads();
  const ready = new ReadyTimes();
  const scopes = new JobScopes();

  const undoCreate = replaceMethod(prototype, 'createJob', (original) => {
    return function (this: unknown, ...args) {
      // BullMQ's own consumer span begins before the run: whoever provides it must be there by now.
      if (hasTelemetry(this as WorkerInternals)) sdk.prepare();
      const job = original.apply(this, args);
      const data = (args[0] as { data?: unknown } | undefined)?.data;
      if (typeof data === 'string' && typeof job === 'object' && job !== null) payloads.set(job, data.length);
      return job;
    };
  });

  const undoCall = replaceMethod(prototype, 'callProcessJob', (original) => {
    return function (this: unknown, ...args) {
      const worker = this as WorkerInternals;
      const job = args[0] as Job;
      const payloadBytes = payloads.take(job);
      const describe = (): RunInfo => ({
        framework: 'bullmq',
        queue: worker.name,
        task: job.name,
        jobId: String(job.id),
        attempt: attemptOf(job),
        isRetry: isRetry(job),
        waitMs: waitMs(job as JobFields, ready.size === 0 ? undefined : ready.take(keyOf(worker, job))),
        payloadBytes,
        carrier: carrierOf(job.opts as JobFields['opts']),
        ownSpan: hasTelemetry(worker),
        job,
        jobScope: scopes.of(worker, () => [targetOf(worker.opts?.connection), worker.qualifiedName]),
        enqueuedMs: job.timestamp,
        lockMs: worker.opts.lockDuration,
        isReplaceable: true,
        cancel: workers && ((reason) => cancelJob(worker, job, reason)),
        isFailure,
      });
      const call = (): unknown => original.apply(this, args);
      const result = worker.childPool ? call() : tasks.run(describe, call);
      const parent = job?.parentKey;
      if (parent !== undefined && types.isPromise(result)) {
        const ended = (): void => ready.set(parent, { attempt: 1, atMs: Date.now() });
        result.then(ended, ended);
      }
      return result;
    };
  });

  // Absent from early versions of BullMQ 5, where retries have no wait then.
  const undoFailed = !('handleFailed' in prototype)
    ? () => {}
    : replaceMethod(prototype, 'handleFailed', (original) => {
        return function (this: unknown, ...args) {
          const [error, job] = args as [unknown, Job];
          const atMs = Date.now();
          const result = original.apply(this, args);
          if (types.isPromise(result) && job && !isWaitingChildren(error)) {
            const key = keyOf(this as WorkerInternals, job);
            const attempt = attemptOf(job) + 1;
            // Only now the job has the delay of its backoff, or its end if it is not tried again.
            const moved = (): void => {
              if (!job.finishedOn) ready.set(key, { attempt, atMs: atMs + (job.delay ?? 0) });
            };
            result.then(moved, () => {});
          }
          return result;
        };
      });

  // Called once by each worker, before its first job; workers without a processor of their own never do.
  const undoRun =
    (queueSeen === undefined && workers === undefined) || !('run' in prototype)
      ? () => {}
      : replaceMethod(prototype, 'run', (original) => {
          return function (this: unknown, ...args) {
            const { name, opts } = this as WorkerInternals;
            const prefix = typeof opts?.prefix === 'string' ? opts.prefix : undefined;
            queueSeen?.({ system: 'bullmq', queue: name, prefix, redis: targetOf(opts?.connection) });
            workers?.add('bullmq', name, this as Worker, CONTROLS);
            return original.apply(this, args);
          };
        });

  return () => {
    undoRun();
    undoFailed();
    undoCall();
    undoCreate();
  };
}

/**
 * The child's side of a sandboxed processor (a forked process or a worker thread): `start(jobJson)` calls `this.processor`.
 * The run is the time of that call, not of the messages around it.
 */
export function patchSandbox(exported: unknown, { tasks }: Host): () => void {
  return replaceMethod((exported as ChildProcessorClass).prototype, 'start', (original) => {
    return function (this: unknown, ...args) {
      const child = this as { processor?: unknown };
      const processor = child.processor;
      if (typeof processor !== 'function') return original.apply(this, args);
      const json = args[0] as JobJson;
      const describe = (job: unknown): RunInfo => ({
        framework: 'bullmq',
        queue: json.queueName ?? queueOf(json.queueQualifiedName),
        task: json.name,
        jobId: String(json.id),
        attempt: attemptOf(json),
        isRetry: isRetry(json),
        waitMs: waitMs(json, undefined),
        payloadBytes: typeof json.data === 'string' ? json.data.length : undefined,
        carrier: carrierOf(json.opts),
        ownSpan: false,
        job: typeof job === 'object' && job !== null ? job : undefined,
        enqueuedMs: json.timestamp,
        isReplaceable: true,
        isFailure,
      });
      // `start` reads the processor before it first awaits, so the wrapped one need not outlive this call.
      child.processor = (...call: unknown[]) =>
        tasks.run(
          () => describe(call[0]),
          () => processor.apply(child, call),
        );
      try {
        return original.apply(this, args);
      } finally {
        child.processor = processor;
      }
    };
  });
}

const CONTROLS: WorkerControls<Worker> = {
  isPaused: (worker) => worker.isPaused(),
  pause: (worker) => worker.pause(true),
  resume: (worker) => worker.resume(),
  close: (worker) => worker.close(),
};

/** Handlers with three parameters get a signal, in versions that have cancelJob. */
function cancelJob(worker: WorkerInternals, job: Job, reason: Error): boolean {
  if (worker.cancelJob === undefined || job.id === undefined) return false;
  // Its type says that a reason is a text; what is aborted gets it as it is.
  return worker.cancelJob(job.id, reason as unknown as string);
}

function hasTelemetry(worker: WorkerInternals): boolean {
  return worker.opts?.telemetry !== undefined && worker.opts.telemetry !== null;
}

/** The job's key in Redis, as a child names its parent. */
function keyOf(worker: WorkerInternals, job: { id?: unknown }): string {
  return `${worker.qualifiedName ?? worker.name}:${String(job.id)}`;
}

/** `<prefix>:<queue>`; a queue name has no colon, a prefix may. */
function queueOf(qualifiedName: string | undefined): string {
  return qualifiedName?.slice(qualifiedName.lastIndexOf(':') + 1) ?? 'unknown';
}
