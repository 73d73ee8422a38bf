import type { TestContext } from 'node:test';
import type { Redis } from 'ioredis';
import { Claims } from '../../src/queues/claims.ts';
import { connect } from '../../src/queues/link.ts';
import { RedisWatcher, type RedisWatcherOptions } from '../../src/queues/redis-watcher.ts';
import type { Command, QueueSystem } from '../../src/queues/system.ts';
import { parseTarget } from '../../src/queues/target.ts';
import { Registry } from '../../src/store/registry.ts';

/** What watchers have published. */
export interface Published {
  /** The value of the only series with these attributes; undefined where there is none. */
  value(metric: string, attributes?: Readonly<Record<string, string>>): number | undefined;
  /** `queue.poll.outcome` of a queue, or of the Redis. */
  status(queue?: string): string | undefined;
}

/** One watcher of one Redis, polled by hand. */
export interface Watching extends Published {
  readonly registry: Registry;
  readonly watcher: RedisWatcher;
  /** Commands of the polls so far, one array a poll. */
  readonly commands: Command[][];
  readonly errors: unknown[];
  /** Called with each command before it is sent. */
  onSend?: (command: Command) => void;
  /** Called with each round trip before it is made. */
  onTrip?: () => void;
  /** Polls, and gives back ms until the next. */
  poll(times?: number): Promise<number>;
}

/** Makes the user `reader`, password `x`, who may read keys and nothing else. */
export async function addReader(redis: Redis, keys = '%R~*', ...more: string[]): Promise<void> {
  const reads = ['-@all', '+@read', '+time', '+info'];
  await redis.call('ACL', 'SETUSER', 'reader', 'on', '>x', 'resetkeys', keys, ...reads, ...more);
}

export function publishedIn(registry: Registry): Published {
  const series = (metric: string, attributes: Readonly<Record<string, string>>) => {
    const all = [...registry.metrics()].find(({ name }) => name === metric);
    const points = [...(all?.points.values() ?? [])].filter((point) =>
      Object.entries(attributes).every(([name, value]) => point.attributes[name] === value),
    );
    if (points.length > 1)
      throw new Error(`${metric} ${JSON.stringify(attributes)} has ${points.length} series`);
    return points[0];
  };
  return {
    value(metric, attributes = {}) {
      const point = series(metric, attributes);
      return point === undefined || 'counts' in point ? undefined : point.value;
    },
    status(queue) {
      const point =
        queue === undefined
          ? series('taskwarden.redis.status', {})
          : series('queue.poll.status', { 'messaging.destination.name': queue });
      return point?.attributes['queue.poll.outcome'];
    },
  };
}

export function watching(
  t: TestContext,
  url: string,
  systems: readonly (QueueSystem | readonly [QueueSystem, string])[],
  options: Partial<RedisWatcherOptions> = {},
): Watching {
  const registry = options.registry ?? new Registry(Date.now(), { maxSeriesPerMetric: 2000 });
  const commands: Command[][] = [];
  const errors: unknown[] = [];
  const watcher = new RedisWatcher({
    target: parseTarget(url),
    registry,
    connect: async (target) => {
      const link = await connect(target);
      return {
        ...link,
        send(sent, node) {
          commands.at(-1)?.push(...sent);
          result.onTrip?.();
          for (const command of sent) result.onSend?.(command);
          return link.send(sent, node);
        },
      };
    },
    intervalMs: 1000,
    owner: crypto.randomUUID(),
    leaderless: true,
    claims: new Claims(),
    searchSteps: 10,
    now: () => performance.now(),
    onError: (error) => void errors.push(error),
    ...options,
  });
  // What leads must give its lease back, for the next test on the same Redis.
  t.after(() => watcher.stop());
  for (const each of systems) {
    const [system, prefix] = 'name' in each ? [each, each.prefix] : each;
    watcher.scope(system, prefix);
  }
  const result: Watching = {
    ...publishedIn(registry),
    registry,
    watcher,
    commands,
    errors,
    async poll(times = 1) {
      let wait = 0;
      for (let i = 0; i < times; i++) {
        commands.push([]);
        wait = await watcher.poll();
      }
      return wait;
    },
  };
  return result;
}
