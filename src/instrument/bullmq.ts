import type { Job, Worker } from 'bullmq';
import type { RunInfo } from '../tasks/run.ts';
import type { Host } from './host.ts';
import { replaceMethod } from './patch.ts';

/** The parts of BullMQ's classes that are used here; some are protected in its types, all are public in JavaScript. */
interface WorkerInternals {
  name: string;
  opts: { telemetry?: unknown };
  childPool?: unknown;
}

interface WorkerClass {
  prototype: Worker;
}

interface ChildProcessorClass {
  prototype: object;
}

/** A job as it is sent to a sandboxed processor. */
interface JobJson {
  id: string;
  name: string;
  data: string;
  queueName?: string;
  queueQualifiedName?: string;
  opts?: JobOptions | string;
  timestamp: number;
  delay?: number;
  processedOn?: number;
  attemptsMade?: number;
  attemptsStarted?: number;
  stalledCounter?: number;
}

interface JobOptions {
  delay?: number;
  telemetry?: { metadata?: string };
  /** The same metadata under the short key that BullMQ 5 sends to a sandbox. */
  tm?: string;
}

/** When a failed attempt became ready again, for the runs that failed in this process; bounded, oldest out first. */
class RetryTimes {
  readonly #failedAt = new Map<string, number>();

  failed(key: string, atMs: number): void {
    this.#failedAt.delete(key);
    this.#failedAt.set(key, atMs);
    if (this.#failedAt.size > 1000) this.#failedAt.delete(this.#failedAt.keys().next().value!);
  }

  take(key: string): number | undefined {
    const at = this.#failedAt.get(key);
    this.#failedAt.delete(key);
    return at;
  }
}

/**
 * Wait of a job, ms. `timestamp` is the enqueue time and never changes, while a retry overwrites `delay` with its
 * backoff: so pick-up - enqueue - delay holds for a first attempt alone. A later one is ready `delay` after its failure, which is
 * known where it happened.
 */
function waitMs(job: Omit<JobJson, 'opts' | 'data'>, failedAt: number | undefined): number | undefined {
  if (job.processedOn === undefined) return undefined;
  if (attemptOf(job) === 1 && !job.stalledCounter) return job.processedOn - job.timestamp - (job.delay ?? 0);
  return failedAt === undefined ? undefined : job.processedOn - failedAt - (job.delay ?? 0);
}

/** `attemptsStarted` counts claims, this one included; `attemptsMade` counts attempts that ended. */
function attemptOf(job: { attemptsStarted?: number; attemptsMade?: number }): number {
  return job.attemptsStarted || (job.attemptsMade ?? 0) + 1;
}

/** Trace context that BullMQ's telemetry keeps on a job: JSON text of the propagation headers. */
function carrierOf(options: JobOptions | undefined): Record<string, string> | undefined {
  const metadata = options?.telemetry?.metadata ?? options?.tm;
  if (typeof metadata !== 'string') return undefined;
  try {
    const carrier: unknown = JSON.parse(metadata);
    return typeof carrier === 'object' && carrier !== null ? (carrier as Record<string, string>) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Every attempt of every job goes through `callProcessJob(job, token, signal)`: priority, delayed, repeatable, flow and
 * rate-limited ones alike. A sandboxed processor's runs are metered in its child, where the work is.
 */
export function patchWorker(exported: unknown, { tasks }: Host): () => void {
  const prototype = (exported as WorkerClass).prototype;
  const payloads = new WeakMap<object, number>();
  const retries = new RetryTimes();

  const undoCreate = replaceMethod(prototype, 'createJob', (original) => {
    return function (this: unknown, ...args) {
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
      if (worker.childPool) return original.apply(this, args);
      const key = `${worker.name}:${job.id}`;
      const describe = (): RunInfo => ({
        framework: 'bullmq',
        queue: worker.name,
        task: job.name,
        jobId: String(job.id),
        attempt: attemptOf(job),
        waitMs: waitMs(job as unknown as JobJson, retries.take(key)),
        payloadBytes: payloads.get(job),
        carrier: carrierOf(job.opts as JobOptions),
        ownSpan: worker.opts.telemetry !== undefined && worker.opts.telemetry !== null,
      });
      const result = tasks.run(describe, () => original.apply(this, args));
      if (result instanceof Promise) result.then(undefined, () => retries.failed(key, Date.now()));
      return result;
    };
  });

  return () => {
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
      const options = typeof json.opts === 'string' ? undefined : json.opts;
      const describe = (): RunInfo => ({
        framework: 'bullmq',
        queue: json.queueName ?? queueOf(json.queueQualifiedName),
        task: json.name,
        jobId: String(json.id),
        attempt: attemptOf(json),
        waitMs: waitMs({ ...json, delay: options?.delay ?? 0 }, undefined),
        payloadBytes: typeof json.data === 'string' ? json.data.length : undefined,
        carrier: carrierOf(options),
        ownSpan: false,
      });
      // `start` reads the processor before it first awaits, so the wrapped one need not outlive this call.
      child.processor = (...call: unknown[]) => tasks.run(describe, () => processor.apply(child, call));
      try {
        return original.apply(this, args);
      } finally {
        child.processor = processor;
      }
    };
  });
}

/** `<prefix>:<queue>`; a queue name has no colon, a prefix may. */
function queueOf(qualifiedName: string | undefined): string {
  return qualifiedName?.slice(qualifiedName.lastIndexOf(':') + 1) ?? 'unknown';
}
