import { path, secret } from './address.ts';
import { type Endpoint, showEndpoint, shownOrigin, shownUrl } from './endpoint.ts';
import { boolean, duration, type Kind, PartNotAllowed, splitList, text, textMap } from './kinds.ts';
import { maskUrls } from './mask.ts';
import { suggestion } from './suggest.ts';

/** An absolute URL that holds no credentials. */
export const httpUrl: Kind<string> = {
  type: 'text',
  allowed: 'a URL that begins with http:// or https://, without user and password',
  parse: (raw) => {
    const url = parseUrl(raw);
    return url === undefined || url.username !== '' || url.password !== '' ? undefined : url.href;
  },
};

/** A kind of its own, so that it is known as a secret. */
const password: Kind<string> = { ...text };
const SECRETS: readonly Kind[] = [secret, password];

/** Headers that the request itself needs. */
const RESERVED = /^(?:content-type|content-length|transfer-encoding|connection)$/i;

const headers = textMap(
  'names and values of HTTP headers, such as {X-Scope-OrgID: mail}',
  (name) => /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) && !RESERVED.test(name),
  (value) => /^[\x20-\x7e]*$/.test(value),
);

const endpointUrl: Kind<URL> = {
  type: 'text',
  allowed: 'a URL that begins with http:// or https://',
  parse: parseUrl,
};

/** Every key of an endpoint in taskwarden.yaml. */
const KEYS: Readonly<Record<string, Kind>> = {
  url: endpointUrl,
  'basic_auth.username': text,
  'basic_auth.password': password,
  'basic_auth.password_file': path,
  'authorization.type': text,
  'authorization.credentials': secret,
  'authorization.credentials_file': path,
  'tls_config.ca_file': path,
  'tls_config.cert_file': path,
  'tls_config.key_file': path,
  'tls_config.server_name': text,
  'tls_config.insecure_skip_verify': boolean,
  headers,
  timeout: duration('100ms', '5m'),
};

const MOST = 20;

/** Servers: URLs separated by commas in an environment variable, a list of URLs and of mappings in YAML. */
export const endpoints: Kind<readonly Endpoint[]> = {
  type: 'endpoints',
  allowed: `at most ${MOST} URLs; in the file also mappings with ${Object.keys(KEYS).join(', ')}`,
  parse: (raw) => {
    const items = typeof raw === 'string' ? splitList(raw) : raw;
    if (!Array.isArray(items) || items.length > MOST)
      throw new PartNotAllowed('', 'the value', endpoints.allowed);
    return items.map((item, index) => endpoint(item, typeof raw === 'string' ? '' : `[${index}]`));
  },
  show: (all) => (all as Endpoint[]).map((one) => showEndpoint(one, shownUrl(one.url))).join(', '),
};

/** The same, of servers whose whole path may be the secret that lets one in. */
export const secretEndpoints: Kind<readonly Endpoint[]> = {
  ...endpoints,
  show: (all) => (all as Endpoint[]).map((one) => showEndpoint(one, shownOrigin(one.url))).join(', '),
};

function endpoint(raw: unknown, at: string): Endpoint {
  const values = new Map<string, unknown>();
  if (typeof raw === 'string') readKey('url', raw, at, values);
  else readKeys(raw, '', at, values);
  const get = <Value>(key: string, unset: Value): Value =>
    values.has(key) ? (values.get(key) as Value) : unset;
  const url = get<URL | undefined>('url', undefined);
  if (url === undefined) throw new PartNotAllowed(`${at}.url`, 'nothing', endpointUrl.allowed);
  checkTogether(values, url, at);
  const [username, ownPassword] = [decode(url.username), decode(url.password)];
  url.username = '';
  url.password = '';
  return {
    url: url.href,
    basicAuth: {
      username: get('basic_auth.username', username),
      password: get('basic_auth.password', ownPassword),
      passwordFile: get('basic_auth.password_file', ''),
    },
    authorization: {
      type: get('authorization.type', 'Bearer'),
      credentials: get('authorization.credentials', ''),
      credentialsFile: get('authorization.credentials_file', ''),
    },
    tlsConfig: {
      caFile: get('tls_config.ca_file', ''),
      certFile: get('tls_config.cert_file', ''),
      keyFile: get('tls_config.key_file', ''),
      serverName: get('tls_config.server_name', ''),
      insecureSkipVerify: get('tls_config.insecure_skip_verify', false),
    },
    headers: get('headers', {}),
    timeout: get('timeout', 10_000),
  };
}

function readKeys(raw: unknown, prefix: string, at: string, values: Map<string, unknown>): void {
  const names = Object.keys(KEYS);
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    const keys = names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
    const what = prefix === '' ? 'a URL or a mapping' : 'a mapping';
    throw new PartNotAllowed(
      at + dotted(prefix.slice(0, -1)),
      'the value',
      `${what} with ${keys.join(', ')}`,
    );
  }
  for (const [key, value] of Object.entries(raw)) {
    const name = prefix + key;
    if (Object.hasOwn(KEYS, name)) readKey(name, value, at, values);
    else if (prefix === '' && names.some((known) => known.startsWith(`${name}.`)))
      readKeys(value, `${name}.`, at, values);
    else
      throw new PartNotAllowed(
        at + dotted(name),
        'this key',
        `${names.join(', ')}${suggestion(name, names)}`,
      );
  }
}

function readKey(name: string, raw: unknown, at: string, values: Map<string, unknown>): void {
  const kind = KEYS[name]!;
  const value = kind.parse(raw);
  if (value === undefined) {
    const hidden = SECRETS.includes(kind) || name === 'headers' || raw === undefined;
    const shown = hidden ? 'the value' : maskUrls(JSON.stringify(raw));
    throw new PartNotAllowed(name === 'url' && at === '' ? '' : at + dotted(name), shown, kind.allowed);
  }
  values.set(name, value);
}

function checkTogether(values: ReadonlyMap<string, unknown>, url: URL, at: string): void {
  const groups = [
    ['user and password in the URL', url.username !== '' || url.password !== ''],
    ['basic_auth', [...values.keys()].some((key) => key.startsWith('basic_auth.'))],
    ['authorization', [...values.keys()].some((key) => key.startsWith('authorization.'))],
    [
      'a header Authorization',
      Object.keys((values.get('headers') as object | undefined) ?? {}).some((name) =>
        /^authorization$/i.test(name),
      ),
    ],
  ] as const;
  const given = groups.filter(([, is]) => is).map(([name]) => name);
  const fail = (shown: string, allowed: string): never => {
    throw new PartNotAllowed(at, shown, allowed);
  };
  if (given.length > 1) fail(given.join(' together with '), 'one of them');
  const pair = (one: string, other: string): boolean => values.has(one) && values.has(other);
  if (pair('basic_auth.password', 'basic_auth.password_file'))
    fail('basic_auth.password together with password_file', 'one of them');
  if (pair('authorization.credentials', 'authorization.credentials_file'))
    fail('authorization.credentials together with credentials_file', 'one of them');
  if (given[0] === 'basic_auth' && !values.has('basic_auth.username'))
    fail('basic_auth without username', 'both username and password or password_file');
  if (values.has('tls_config.cert_file') !== values.has('tls_config.key_file'))
    fail('tls_config with only one of cert_file and key_file', 'both or neither');
}

/** `name` with the dot that joins it to what it is a part of. */
function dotted(name: string): string {
  return name === '' ? '' : `.${name}`;
}

function parseUrl(raw: unknown): URL | undefined {
  if (typeof raw !== 'string' || !/^\s*https?:\/\//i.test(raw) || !URL.canParse(raw)) return undefined;
  return new URL(raw);
}

/** Percent-encoding of the user or password of a URL undone; as it stands where that is malformed. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
