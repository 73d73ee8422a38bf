/** What is used of a job: a `Job`, or the JSON that is sent to a sandboxed processor. */
export interface JobFields {
  id?: unknown;
  name: string;
  /** ms since the Unix epoch: when it was added. */
  timestamp: number;
  /** When this attempt was picked up. */
  processedOn?: number;
  attemptsMade?: number;
  attemptsStarted?: number;
  stalledCounter?: number;
  opts?: JobOptions | string;
}

export interface JobOptions {
  delay?: number;
  telemetry?: { metadata?: string };
  /** The same metadata under the short key that BullMQ 5 sends to a sandbox. */
  tm?: string;
}

/** Number of the attempt: `attemptsStarted` counts claims, this one included; `attemptsMade` attempts that ended. */
export function attemptOf(job: { attemptsStarted?: number; attemptsMade?: number }): number {
  return job.attemptsStarted || (job.attemptsMade ?? 0) + 1;
}

/** Whether an attempt of the job has ended before: `attemptsStarted` counts runs that moved the job, too, and those that a stall cut short. */
export function isRetry(job: { attemptsMade?: number }): boolean {
  return (job.attemptsMade ?? 0) > 0;
}

/** When an attempt that is yet to come is ready. */
export interface Ready {
  attempt: number;
  /** ms since the Unix epoch. */
  atMs: number;
}

/** What this process knows of coming attempts, by `<queue key>:<job id>`; bounded, oldest out first. */
export class ReadyTimes {
  readonly #times = new Map<string, Ready>();
  readonly #limit: number;

  constructor(limit = 1000) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#times.size;
  }

  set(key: string, ready: Ready): void {
    this.#times.delete(key);
    this.#times.set(key, ready);
    if (this.#times.size > this.#limit) this.#times.delete(this.#times.keys().next().value!);
  }

  take(key: string): Ready | undefined {
    const ready = this.#times.get(key);
    if (ready !== undefined) this.#times.delete(key);
    return ready;
  }
}

/** A delayed job that runs this much before its time was promoted; less is clock skew. */
const PROMOTED_MS = 1000;

/**
 * How long a job was ready before it was picked up, ms; undefined where that cannot be told.
 *
 * `timestamp` is the enqueue time and never changes. The stored `delay` does: it is 0 as soon as a delayed job is due, and a
 * backoff for a while after a failure. So a first attempt counts from `timestamp + opts.delay`, or from the last child's end for the
 * parent of a flow; a later one from what its failure left behind, which is known where that happened.
 */
export function waitMs(job: JobFields, ready: Ready | undefined): number | undefined {
  if (job.processedOn === undefined) return undefined;
  const attempt = attemptOf(job);
  const known = ready?.attempt === attempt ? ready.atMs : undefined;
  if (attempt > 1 || job.stalledCounter) return known === undefined ? undefined : job.processedOn - known;
  const delay = (typeof job.opts === 'object' ? job.opts.delay : undefined) ?? 0;
  const wait = job.processedOn - delay - (known ?? job.timestamp);
  return delay > 0 && wait < -PROMOTED_MS ? undefined : wait;
}

/** Trace context that BullMQ's telemetry keeps on a job: JSON text of the propagation headers. */
export function carrierOf(options: JobFields['opts']): Record<string, string> | undefined {
  if (typeof options !== 'object') return undefined;
  const metadata = options.telemetry?.metadata ?? options.tm;
  if (typeof metadata !== 'string') return undefined;
  try {
    const carrier: unknown = JSON.parse(metadata);
    return typeof carrier === 'object' && carrier !== null ? (carrier as Record<string, string>) : undefined;
  } catch {
    return undefined;
  }
}

const MOVED = new Set(['DelayedError', 'WaitingError', 'WaitingChildrenError']);
const RATE_LIMITED = 'bullmq:rateLimitExceeded';

/**
 * False for what a handler throws to tell BullMQ that it has moved the job, or wants it later. BullMQ counts no attempt then and does
 * not call the job failed, nor do we. The rules are BullMQ's: three classes, and one message. Never throws.
 */
export function isFailure(error: unknown): boolean {
  try {
    if ((error as Error).message === RATE_LIMITED) return false;
    return !names(error).some((name) => MOVED.has(name));
  } catch {
    return true;
  }
}

/** Whether the job now waits for children, which make it ready, and not the time. Never throws. */
export function isWaitingChildren(error: unknown): boolean {
  try {
    return names(error).includes('WaitingChildrenError');
  } catch {
    return false;
  }
}

/** An error's name and those of its classes: subclasses of BullMQ's errors have names of their own. */
function names(error: unknown): string[] {
  const found = [(error as Error).name];
  if (typeof error !== 'object') return found;
  for (let at = Object.getPrototypeOf(error); at !== null; at = Object.getPrototypeOf(at)) {
    found.push(at.constructor?.name);
  }
  return found;
}
