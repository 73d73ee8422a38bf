import type { ClusterOptions, Redis, RedisOptions } from 'ioredis';
import { outcomeOf } from './outcome.ts';
import { bounded, type Link, pipelined, TIMEOUT_MS } from './pipelines.ts';
import type { RedisTarget } from './target.ts';

export type Connect = (target: RedisTarget) => Promise<Link>;

/** Connects, once and without retries: who asks decides when to try again. @throws Error */
export async function connect(target: RedisTarget): Promise<Link> {
  // The default export alone is there in a bundle too.
  const { Cluster, Redis } = (await import('ioredis')).default;
  if (target.mode === 'cluster') {
    const { clusterLink } = await import('./cluster-link.ts');
    return clusterLink(new Cluster([...target.nodes], clusterOptions(target)));
  }
  const redis = new Redis(redisOptions(target));
  const failed = lastError(redis);
  try {
    await bounded(redis.connect(), redis);
    await introduce(redis, failed);
  } catch (error) {
    redis.disconnect();
    throw failed() ?? error;
  }
  return {
    nodes: () => 1,
    close: () => redis.disconnect(),
    send: (commands) => pipelined(redis, commands, failed),
  };
}

/** Gives the connection its name, as far as that is allowed. Where Redis is full, the first answer says so and is the last. */
async function introduce(redis: Redis, failed: () => Error | undefined): Promise<void> {
  const [reply] = await pipelined(redis, [['CLIENT', 'SETNAME', 'taskwarden']], failed);
  if (reply instanceof Error && outcomeOf(reply) === 'maxclients') throw reply;
}

/** ioredis tells the reason of a lost connection by an event, and of the commands that it is closed. */
function lastError(redis: {
  on(event: 'error', listener: (error: Error) => void): unknown;
}): () => Error | undefined {
  let last: Error | undefined;
  redis.on('error', (error) => {
    last = error;
  });
  return () => last;
}

function common({ username, password, tls, db }: RedisTarget): RedisOptions {
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls !== undefined && { tls }),
    db,
    // The answers to these are lost, and with them what Redis says before it hangs up.
    disableClientInfo: true,
    lazyConnect: true,
    // LOADING is to be seen as what it is, and not waited for.
    enableReadyCheck: false,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectTimeout: TIMEOUT_MS,
  };
}

function redisOptions(target: RedisTarget): RedisOptions {
  const { mode, nodes, path, master, readFrom } = target;
  if (mode === 'sentinel') {
    return {
      ...common(target),
      sentinels: nodes.map(({ host, port }) => ({ host, port })),
      name: master!,
      role: readFrom === 'replica' ? 'slave' : 'master',
      sentinelRetryStrategy: () => null,
      ...(target.tls !== undefined && { enableTLSForSentinelMode: true, sentinelTLS: target.tls }),
    };
  }
  return { ...common(target), ...(path === undefined ? nodes[0] : { path }) };
}

function clusterOptions(target: RedisTarget): ClusterOptions {
  const { db: _db, ...redisOptions } = common(target);
  return {
    redisOptions,
    lazyConnect: true,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    clusterRetryStrategy: () => null,
    slotsRefreshTimeout: TIMEOUT_MS,
    scaleReads: target.readFrom === 'replica' ? 'slave' : 'master',
  };
}
