import { Claims } from '../../src/queues/claims.ts';
import { connect } from '../../src/queues/link.ts';
import { RedisWatcher } from '../../src/queues/redis-watcher.ts';
import type { Command } from '../../src/queues/system.ts';
import { loadSystem } from '../../src/queues/systems.ts';
import { parseTarget } from '../../src/queues/target.ts';
import { Registry } from '../../src/store/registry.ts';

/** The watcher of one Redis as the agent has it, polled by hand. */
export interface Watch {
  readonly registry: Registry;
  /** Commands of the polls so far, one array a poll. */
  readonly commands: Command[][];
  poll(): Promise<void>;
  depths(queue: string): Record<string, number>;
  stop(): Promise<void>;
}

export interface WatchOptions {
  readonly url: string;
  readonly systems: readonly string[];
  /** Known beforehand, as to a worker's agent; the search is off then. */
  readonly queues?: readonly string[];
}

export async function startWatch({ url, systems, queues }: WatchOptions): Promise<Watch> {
  const registry = new Registry(Date.now(), { maxSeriesPerMetric: 100_000 });
  const commands: Command[][] = [];
  const watcher = new RedisWatcher({
    target: parseTarget(url),
    registry,
    connect: async (target) => {
      const link = await connect(target);
      return {
        ...link,
        send(sent, node) {
          commands.at(-1)?.push(...sent);
          return link.send(sent, node);
        },
      };
    },
    intervalMs: 5000,
    owner: 'bench',
    leaderless: true,
    claims: new Claims(),
    searchSteps: queues === undefined ? 20 : 0,
    now: () => performance.now(),
    onError: (error) => {
      throw error;
    },
  });
  for (const name of systems) {
    const system = (await loadSystem(name))!;
    const scope = watcher.scope(system, system.prefix);
    for (const queue of queues ?? []) scope.add(queue, true);
  }
  return {
    registry,
    commands,
    async poll() {
      commands.push([]);
      await watcher.poll();
    },
    depths(queue) {
      const found: Record<string, number> = {};
      for (const { name, points } of registry.metrics()) {
        if (name !== 'queue.depth') continue;
        for (const { attributes, value } of points.values() as IterableIterator<{
          attributes: Record<string, string>;
          value: number;
        }>)
          if (attributes['messaging.destination.name'] === queue) found[attributes['queue.state']!] = value;
      }
      return found;
    },
    stop: () => watcher.stop(),
  };
}
