import type { RedisNode, RedisTarget, RedisTls } from '../model/redis-target.ts';

/** Connection options of ioredis, as far as they are used here. */
interface IoredisOptions {
  readonly host?: unknown;
  readonly port?: unknown;
  readonly path?: unknown;
  readonly url?: unknown;
  readonly db?: unknown;
  readonly username?: unknown;
  readonly password?: unknown;
  readonly tls?: unknown;
  readonly sentinels?: unknown;
  readonly name?: unknown;
  readonly natMap?: unknown;
}

/** Options that a client of node-redis has once it is made; those in its URL are among them. */
interface NodeRedisOptions {
  readonly username?: unknown;
  readonly password?: unknown;
  readonly database?: unknown;
  readonly socket?: Readonly<Record<string, unknown>>;
  readonly credentialsProvider?: unknown;
}

/** What a client of Valkey GLIDE was made with. */
interface GlideOptions {
  readonly addresses: readonly Partial<RedisNode>[];
  readonly databaseId?: unknown;
  readonly useTLS?: unknown;
  readonly credentials?: Readonly<Record<string, unknown>>;
  /** Certificates of TLS among others. */
  readonly advancedConfiguration?: unknown;
}

/** Options of node-redis's sockets that are none of TLS. */
const SOCKET_WORDS: ReadonlySet<string> = new Set([
  ...['host', 'port', 'path', 'tls', 'family', 'noDelay', 'keepAlive', 'keepAliveInitialDelay'],
  ...['connectTimeout', 'socketTimeout', 'reconnectStrategy'],
]);

/** Options of TLS that are plain data. */
const TLS_WORDS = ['ca', 'cert', 'key', 'passphrase', 'servername'] as const;

/**
 * Where a worker's Redis is, from what it was given as connection: options of ioredis, or a client or cluster of it, a client of
 * node-redis, or BullMQ's adapter of a Valkey GLIDE client. Undefined where that cannot be told as plain data, as with other clients, a connector of one's own or functions among the options. Never throws.
 */
export function targetOf(connection: unknown): RedisTarget | string | undefined {
  try {
    if (typeof connection !== 'object' || connection === null) return undefined;
    const given = connection as { options?: unknown; isCluster?: unknown; startupNodes?: unknown };
    if (isGlide(given.options)) return glideTarget(given.options, given.isCluster === true);
    if (given.isCluster === true) return clusterTarget(given);
    const isClient = typeof (connection as { defineCommand?: unknown }).defineCommand === 'function';
    if (!isClient && 'sendCommand' in connection) return nodeRedisTarget(given.options as NodeRedisOptions);
    return optionsTarget((isClient ? given.options : connection) as IoredisOptions);
  } catch {
    return undefined;
  }
}

function optionsTarget(options: IoredisOptions): RedisTarget | string | undefined {
  if (typeof options !== 'object' || options === null || options.natMap) return undefined;
  if (typeof options.url === 'string') return options.url;
  const credentials = credentialsOf(options);
  const tls = tlsOf(options.tls);
  if (tls === 'unknown') return undefined;
  const common = {
    db: Number(options.db ?? 0),
    ...credentials,
    ...(tls !== undefined && { tls }),
    readFrom: 'primary' as const,
  };
  if (Array.isArray(options.sentinels) && options.sentinels.length > 0) {
    const nodes = options.sentinels.map((node) => nodeOf(node, 26379));
    return { mode: 'sentinel', nodes, master: String(options.name), ...common };
  }
  if (typeof options.path === 'string')
    return { mode: 'standalone', nodes: [], path: options.path, ...common };
  return { mode: 'standalone', nodes: [nodeOf(options as RedisNode, 6379)], ...common };
}

function nodeRedisTarget(options: NodeRedisOptions): RedisTarget | string | undefined {
  const { socket = {}, database, username, password, credentialsProvider } = options;
  // Those of the URL are given by a provider, too.
  if (credentialsProvider !== undefined && password === undefined) return undefined;
  const { host, port, path, tls } = socket;
  const ofTls = Object.entries(socket).filter(([name]) => !SOCKET_WORDS.has(name));
  return optionsTarget({
    ...{ host, port, path, username, password },
    db: database,
    tls: tls === true && Object.fromEntries(ofTls),
  });
}

function isGlide(options: unknown): options is GlideOptions {
  return Array.isArray((options as Partial<GlideOptions> | undefined)?.addresses);
}

function glideTarget(options: GlideOptions, isCluster: boolean): RedisTarget | undefined {
  const { addresses, databaseId, useTLS, credentials = {}, advancedConfiguration } = options;
  // Of several nodes that are no cluster only the client knows which is the primary; and credentials of IAM change.
  if (addresses.length !== 1 && !isCluster) return undefined;
  if ('iamConfig' in credentials || (useTLS === true && advancedConfiguration !== undefined))
    return undefined;
  return {
    mode: isCluster ? 'cluster' : 'standalone',
    nodes: addresses.map((node) => nodeOf(node, 6379)),
    db: Number(databaseId ?? 0),
    ...credentialsOf(credentials),
    ...(useTLS === true && { tls: {} }),
    readFrom: 'primary',
  };
}

function clusterTarget(cluster: { options?: unknown; startupNodes?: unknown }): RedisTarget | undefined {
  const { redisOptions = {}, natMap } = (cluster.options ?? {}) as {
    redisOptions?: IoredisOptions;
    natMap?: unknown;
  };
  const tls = tlsOf(redisOptions.tls);
  if (natMap || tls === 'unknown' || !Array.isArray(cluster.startupNodes)) return undefined;
  const nodes = cluster.startupNodes.flatMap((node: unknown) =>
    typeof node === 'object' && node !== null ? [nodeOf(node as RedisNode, 6379)] : [],
  );
  if (nodes.length === 0) return undefined;
  return {
    mode: 'cluster',
    nodes,
    db: 0,
    ...credentialsOf(redisOptions),
    ...(tls !== undefined && { tls }),
    readFrom: 'primary',
  };
}

function nodeOf({ host, port }: Partial<RedisNode>, otherwise: number): RedisNode {
  return { host: String(host ?? '127.0.0.1'), port: Number(port ?? otherwise) };
}

function credentialsOf({ username, password }: IoredisOptions): { username?: string; password?: string } {
  return {
    ...(typeof username === 'string' && username !== '' && { username }),
    ...(typeof password === 'string' && password !== '' && { password }),
  };
}

/** Undefined without TLS; `unknown` where an option is none that can be sent. */
function tlsOf(given: unknown): RedisTls | undefined | 'unknown' {
  if (given === undefined || given === null || given === false) return undefined;
  if (given === true) return {};
  const tls: Record<string, string | boolean> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (name === 'rejectUnauthorized' && typeof value === 'boolean') tls[name] = value;
    else if (!TLS_WORDS.some((word) => word === name)) return 'unknown';
    else if (typeof value === 'string' || Buffer.isBuffer(value)) tls[name] = value.toString();
    else return 'unknown';
  }
  return tls;
}
