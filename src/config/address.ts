import { type Kind, PartNotAllowed, text } from './kinds.ts';

const OFF = ['off', 'false', 'no'];
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i;

/** Where to listen: `host:port`, an IPv6 address in brackets; without a host the loopback interface. '' is nowhere. */
export const address: Kind<string> = {
  type: 'text',
  allowed: 'host:port, :port (127.0.0.1, port 0: any free one), or off',
  parse: (raw) => {
    if (raw === false) return '';
    if (typeof raw !== 'string' && typeof raw !== 'number') return undefined;
    const text = String(raw).trim();
    if (OFF.includes(text.toLowerCase())) return '';
    const match = /^(?:(\[[0-9a-f:.]+\]|[^:[\]]*):)?(\d{1,5})$/i.exec(text);
    if (match === null) return undefined;
    const [, host = '', port = ''] = match;
    if (Number(port) > 65_535 || !isHost(host)) return undefined;
    return `${host === '' ? '127.0.0.1' : host.toLowerCase()}:${Number(port)}`;
  },
};

/** A secret that can stand in an HTTP header: visible ASCII characters. */
export const secret: Kind<string> = {
  type: 'text',
  allowed: 'a text of visible ASCII characters without spaces',
  parse: (raw) => (typeof raw === 'string' && /^[\x21-\x7e]+$/.test(raw.trim()) ? raw.trim() : undefined),
};

export const path: Kind<string> = {
  type: 'text',
  allowed: 'a path',
  parse: (raw) => (typeof raw === 'string' && raw.trim() !== '' ? raw.trim() : undefined),
};

/** The two parts of an address as {@link address} gives it, IPv6 without brackets. */
export function splitAddress(text: string): { host: string; port: number } {
  const at = text.lastIndexOf(':');
  return { host: text.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(text.slice(at + 1)) };
}

/** Whether nobody but this machine reaches a server at this host. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (IPV4.test(host) && host.startsWith('127.'));
}

function isHost(host: string): boolean {
  if (host === '') return true;
  if (host.startsWith('[')) return URL.canParse(`http://${host}/`);
  // What looks like an address must be one.
  return /^[\d.]+$/.test(host) ? IPV4.test(host) : HOST_NAME.test(host);
}

const REDIS = 'an address such as redis://host:6379/0; likewise rediss, redis-sentinel, redis-cluster, unix';

/** The address of a Redis, of which only the scheme is looked at here. It is not shown, as it may hold a password. */
export const redisAddress: Kind<string> = {
  type: 'text',
  allowed: REDIS,
  parse: (raw) => {
    const value = text.parse(raw);
    if (value === undefined || /^(rediss?(-sentinel|-cluster)?|unix):\/\/./.test(value)) return value;
    throw new PartNotAllowed('', 'the address', REDIS);
  },
};
