import { readFileSync } from 'node:fs';
import { TaskwardenError } from '../model/errors.ts';
import type { RedisNode, RedisTarget, RedisTls } from '../model/redis-target.ts';

export type { RedisTarget } from '../model/redis-target.ts';

const MODES: Readonly<Record<string, { mode: RedisTarget['mode']; tls: boolean; port: number }>> = {
  redis: { mode: 'standalone', tls: false, port: 6379 },
  rediss: { mode: 'standalone', tls: true, port: 6379 },
  'redis-sentinel': { mode: 'sentinel', tls: false, port: 26379 },
  'rediss-sentinel': { mode: 'sentinel', tls: true, port: 26379 },
  'redis-cluster': { mode: 'cluster', tls: false, port: 6379 },
  'rediss-cluster': { mode: 'cluster', tls: true, port: 6379 },
};
const FORMS = `${Object.keys(MODES).join('://, ')}://, unix://`;
const PARAMETERS = ['master', 'db', 'ca', 'cert', 'key', 'servername'];

/** `scheme://user:password@host:port,host:port/db?master=…` */
const URL_PARTS = /^([a-z-]+):\/\/(?:([^/?#]*)@)?([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/;

/**
 * Reads the address of a Redis: `redis://user:password@host:port/db`, `rediss://` for TLS, `redis-sentinel://host,host?master=name`,
 * `redis-cluster://host,host`, `unix:///path?db=0`. TLS takes `?ca=FILE&cert=FILE&key=FILE&servername=NAME`.
 *
 * @throws TaskwardenError TASKWARDEN_CONFIG for what cannot be read, without showing a password
 */
export function parseTarget(url: string, readFrom: RedisTarget['readFrom'] = 'primary'): RedisTarget {
  const [, scheme = '', user, hosts = '', path = '', query] = URL_PARTS.exec(url.trim()) ?? [];
  const options = new URLSearchParams(query);
  const refuse = (why: string): never => {
    throw new TaskwardenError('TASKWARDEN_CONFIG', `redis: ${why}; allowed: ${FORMS}`);
  };
  for (const name of options.keys())
    if (!PARAMETERS.includes(name)) refuse(`unknown parameter "${name}" (known: ${PARAMETERS.join(', ')})`);
  const credentials = user === undefined ? {} : credentialsOf(user);
  if (scheme === 'unix')
    return {
      mode: 'standalone',
      nodes: [],
      path: `/${path}`,
      db: dbOf(options.get('db') ?? '', refuse),
      ...credentials,
      readFrom,
    };
  const form =
    MODES[scheme] ?? refuse(`"${scheme === '' ? 'an address without scheme' : scheme}" is not known`);
  const nodes = hosts.split(',').map((text) => nodeOf(text, form.port, refuse));
  const master = options.get('master') ?? undefined;
  if (form.mode === 'sentinel' && master === undefined) refuse('a sentinel address needs ?master=NAME');
  return {
    mode: form.mode,
    nodes,
    ...(master !== undefined && { master }),
    db: dbOf(options.get('db') ?? path, refuse),
    ...credentials,
    ...(form.tls && { tls: tlsOf(options) }),
    readFrom,
  };
}

/**
 * What `redis.instance` says: no credentials, and the same text for the same Redis, in whatever order its nodes are told. A master has a
 * name among its own sentinels alone, which as a rule is mymaster.
 */
export function instanceName({ mode, nodes, path, master, db }: RedisTarget): string {
  const [first = 'unknown'] = nodes.map(({ host, port }) => `${host}:${port}`).sort();
  const address = path ?? first;
  if (mode === 'cluster') return address;
  return `${mode === 'sentinel' ? `${master}@${address}` : address}/${db}`;
}

function nodeOf(text: string, port: number, refuse: (why: string) => never): RedisNode {
  const [, bracketed, plain, given] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d+))?$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? refuse('a host is missing or malformed');
  const number = given === undefined ? port : Number(given);
  if (number < 1 || number > 65_535) refuse(`port ${given} is not allowed`);
  return { host, port: number };
}

function dbOf(text: string, refuse: (why: string) => never): number {
  if (text === '') return 0;
  return /^\d{1,4}$/.test(text) ? Number(text) : refuse('the database must be a number');
}

function credentialsOf(user: string): { username?: string; password?: string } {
  const at = user.indexOf(':');
  const [name, password] = at < 0 ? [user, undefined] : [user.slice(0, at), user.slice(at + 1)];
  return {
    ...(name !== '' && { username: decoded(name) }),
    ...(password !== undefined && { password: decoded(password) }),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function tlsOf(options: URLSearchParams): RedisTls {
  const file = (name: string): Record<string, string> => {
    const path = options.get(name);
    if (path === null) return {};
    try {
      return { [name]: readFileSync(path, 'utf8') };
    } catch (cause) {
      throw new TaskwardenError('TASKWARDEN_FILE', `redis: the ${name} of TLS cannot be read`, {
        file: path,
        cause,
      });
    }
  };
  const servername = options.get('servername');
  return { ...file('ca'), ...file('cert'), ...file('key'), ...(servername !== null && { servername }) };
}
