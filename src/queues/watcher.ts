import { hostname } from 'node:os';
import type { RunReference } from '../model/alert.ts';
import { monotonicMs } from '../model/clock.ts';
import type { Labels } from '../model/labels.ts';
import type { Registry } from '../store/registry.ts';
import { Claims } from './claims.ts';
import { connect } from './link.ts';
import { RedisWatcher } from './redis-watcher.ts';
import type { Poll } from './system.ts';
import { type LoadedSystem, loadSystem, type SystemOptions } from './systems.ts';
import { instanceName, type RedisTarget } from './target.ts';
import type { NotLed, QueueWrites } from './writes.ts';

export interface QueueWatcherOptions extends SystemOptions {
  readonly registry: Registry;
  /** Time between two polls of a Redis, ms. */
  readonly intervalMs: number;
  /** Polls where no leader can be agreed upon; a worker among many rather leaves it. */
  readonly leaderless: boolean;
  /** Steps of the search for queues in one poll. */
  readonly searchSteps: number;
  readonly onError: (error: unknown) => void;
  /** Called after each poll of a Redis. */
  readonly onPolled?: (() => void) | undefined;
}

/** Which queues of a Redis to watch. */
export interface QueueSelection {
  /** As `messaging.system` has it. */
  readonly system: string;
  /** Default: the system's own. */
  readonly prefix?: string | undefined;
  /** Watched whether found or not. */
  readonly queues: readonly string[];
}

/** The keys of a library in a Redis. */
export interface QueuePlace {
  /** As `messaging.system` has it. */
  readonly system: string;
  /** As `redis.instance` has it. */
  readonly redis: string;
  readonly prefix: string;
}

/** Watches the queues of any number of Redis instances, each at its own pace. */
export class QueueWatcher {
  readonly #options: QueueWatcherOptions;
  readonly #owner = `${hostname()}:${process.pid}:${crypto.randomUUID()}`;
  readonly #claims = new Claims();
  readonly #watchers = new Map<string, RedisWatcher>();
  /** Loaded once, for all Redis instances. */
  readonly #systems = new Map<string, Promise<LoadedSystem | undefined>>();
  readonly #loaded: LoadedSystem[] = [];
  readonly #timers = new Map<RedisWatcher, NodeJS.Timeout>();
  #stopped = false;

  constructor(options: QueueWatcherOptions) {
    this.#options = options;
  }

  /** Watches queues, from now on. What is watched already is so once. */
  async add(target: RedisTarget, { system: name, prefix, queues }: QueueSelection): Promise<void> {
    const system = await this.#system(name);
    if (system === undefined || this.#stopped) return;
    // One Redis is polled once, with whatever credentials it was first told of.
    const key = `${instanceName(target)} ${target.readFrom}`;
    let watcher = this.#watchers.get(key);
    if (watcher === undefined) {
      watcher = new RedisWatcher({
        ...this.#options,
        target,
        connect,
        owner: this.#owner,
        claims: this.#claims,
        now: monotonicMs,
      });
      this.#watchers.set(key, watcher);
      this.#next(watcher, 0);
    }
    const scope = watcher.scope(system, prefix ?? system.prefix);
    for (const queue of queues) scope.add(queue, true);
  }

  /** Tasks that an alert with these labels speaks of, as far as the systems know them. */
  runsFor(labels: Labels): RunReference[] {
    return this.#loaded.flatMap((system) => system.runsFor?.(labels) ?? []);
  }

  /** Where a queue of that name is watched. */
  placesOf(system: string, queue: string): QueuePlace[] {
    const places = [...this.#watchers.values()].flatMap((watcher) =>
      watcher.prefixesOf(system, queue).map((prefix) => ({ system, redis: watcher.instance, prefix })),
    );
    return [...new Map(places.map((place) => [JSON.stringify(place), place])).values()];
  }

  /**
   * Writes for an action, where this agent leads; undefined where the library has no such thing, or is not watched there.
   *
   * @throws Error when Redis cannot be reached
   */
  async write<Learnt>(
    { system, redis, prefix }: QueuePlace,
    write: (writes: QueueWrites, isSingle: boolean) => Poll<Learnt>,
  ): Promise<Learnt | NotLed | undefined> {
    const writes = (await this.#systems.get(system))?.writes;
    let result: Learnt | NotLed | undefined;
    if (writes === undefined) return result;
    for (const watcher of this.#watchers.values()) {
      if (watcher.instance !== redis) continue;
      result = await watcher.write(system, prefix, (isSingle) => write(writes, isSingle));
      // The same Redis is watched twice where replicas of it are read, too.
      if (result !== 'standby') break;
    }
    return result;
  }

  /** Ends the polls, and gives the leases back so that another agent can take over at once. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    await Promise.all([...this.#watchers.values()].map((watcher) => watcher.stop()));
  }

  #system(name: string): Promise<LoadedSystem | undefined> {
    let system = this.#systems.get(name);
    if (system === undefined) {
      system = loadSystem(name, this.#options);
      void system.then(
        (loaded) => loaded !== undefined && this.#loaded.push(loaded),
        () => {},
      );
      this.#systems.set(name, system);
    }
    return system;
  }

  #next(watcher: RedisWatcher, ms: number): void {
    const poll = async (): Promise<void> => {
      const wait = await watcher.poll();
      this.#options.onPolled?.();
      if (!this.#stopped) this.#next(watcher, wait);
    };
    this.#timers.set(
      watcher,
      setTimeout(() => void poll(), ms),
    );
  }
}
