import type { Config } from '../config/config.ts';
import type { RunReference } from '../model/alert.ts';
import type { Labels } from '../model/labels.ts';
import type { RedisTarget, SeenQueue } from '../model/redis-target.ts';
import type { QueuePlace, QueueSelection, QueueWatcher } from '../queues/watcher.ts';
import type { Registry } from '../store/registry.ts';
import type { Guard } from './guard.ts';

/** Nothing of Redis is loaded while a worker starts. */
const START_AFTER_MS = 5000;
/** Steps of the search for queues in one poll: a worker's agent is in no hurry, as it knows its own queues. */
const WORKER_STEPS = 2;
const SIDECAR_STEPS = 20;

export interface QueuesOptions {
  readonly config: Config;
  readonly registry: Registry;
  readonly guard: Guard;
  readonly warn: (text: string) => void;
  /** Whether this is the agent of a worker, one of many perhaps, or a process that does nothing else. */
  readonly sidecar: boolean;
  /** Called after each poll of a Redis. */
  readonly onPolled?: (() => void) | undefined;
}

/** The queues in Redis: those that instrumentations have seen here, or those that the command line names. */
export class Queues {
  readonly #options: QueuesOptions;
  readonly #seen = new Set<string>();
  #starting: Promise<QueueWatcher> | undefined;
  #watcher: QueueWatcher | undefined;

  constructor(options: QueuesOptions) {
    this.#options = options;
  }

  /** A worker of this process reads a queue. */
  seen(queue: SeenQueue & { readonly truncated?: boolean }): void {
    const key = JSON.stringify(queue);
    const { watch, redis } = this.#options.config.queues;
    if (watch === 'off' || this.#seen.has(key)) return;
    this.#seen.add(key);
    const known = queue.truncated === true ? undefined : queue.redis;
    const where = redis === '' ? known : redis;
    if (where === undefined) {
      this.#options.warn(
        `queue ${queue.queue} is not watched, as its connection cannot be told; set queues.redis to its address`,
      );
      return;
    }
    const { system, prefix } = queue;
    void this.#options.guard('queues', () => this.watch(where, { system, prefix, queues: [queue.queue] }));
  }

  /** @throws TaskwardenError for an address that cannot be read */
  async watch(where: RedisTarget | string, selection: QueueSelection): Promise<void> {
    const watcher = await this.#start();
    const { parseTarget } = await import('../queues/target.ts');
    await watcher.add(typeof where === 'string' ? parseTarget(where) : where, selection);
  }

  /** Tasks that an alert with these labels speaks of, by any worker. */
  runsFor(labels: Labels): RunReference[] {
    return this.#watcher?.runsFor(labels) ?? [];
  }

  /** See {@link QueueWatcher.placesOf}. */
  readonly placesOf = (system: string, queue: string): QueuePlace[] =>
    this.#watcher?.placesOf(system, queue) ?? [];

  /** See {@link QueueWatcher.write}. */
  readonly write: QueueWatcher['write'] = async (place, write) => this.#watcher?.write(place, write);

  async stop(): Promise<void> {
    await this.#watcher?.stop();
  }

  #start(): Promise<QueueWatcher> {
    const { sidecar } = this.#options;
    this.#starting ??= new Promise<void>((resolve) => {
      setTimeout(resolve, sidecar ? 0 : START_AFTER_MS);
    }).then(() => this.#load());
    return this.#starting;
  }

  async #load(): Promise<QueueWatcher> {
    const { config, registry, sidecar, guard, onPolled } = this.#options;
    const { QueueWatcher } = await import('../queues/watcher.ts');
    const { inspectWorkers } = await import('./worker-processes.ts');
    this.#watcher = new QueueWatcher({
      registry,
      intervalMs: config.queues.interval,
      leaderless: sidecar,
      onPolled,
      searchSteps: sidecar ? SIDECAR_STEPS : WORKER_STEPS,
      inspect: inspectWorkers({ root: config.queues.hostRoot }),
      onError: (error) =>
        guard('queues', () => {
          throw error;
        }),
    });
    return this.#watcher;
  }
}
