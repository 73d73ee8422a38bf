import { type LookupAddress, lookup, Resolver } from 'node:dns';
import type { LookupFunction } from 'node:net';

/**
 * How long the system's resolver has before the answer of the DNS servers counts. It runs in the thread pool of libuv,
 * which the application shares and may keep busy for seconds; asking DNS servers does not, but knows no hosts file.
 */
const PATIENCE_MS = 300;
/** Age of an address at which it is looked up again, behind the use of the old one. */
const FRESH_MS = 30_000;

const LOOPBACK: readonly LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

/** Remembers the addresses of one host, so that no export waits for the thread pool once the first lookup is through. */
export class HostLookup {
  readonly #host: string;
  readonly #now: () => number;
  #addresses: readonly LookupAddress[] | undefined;
  #pending: Promise<readonly LookupAddress[]> | undefined;
  #lookedUpAt = 0;

  /** @param now ms, any origin */
  constructor(host: string, now: () => number) {
    this.#host = host;
    this.#now = now;
    if (host === 'localhost') this.#addresses = LOOPBACK;
  }

  /** For `http.request`. */
  readonly lookup: LookupFunction = (_host, options, callback) => {
    const answer = (addresses: readonly LookupAddress[]): void => {
      const { family } = options;
      const wanted = addresses.filter(
        (one) => !family || `IPv${one.family}` === `IPv${String(family).replace('IPv', '')}`,
      );
      const first = wanted[0];
      if (first === undefined) callback(notFound(this.#host), '');
      else if (options.all) callback(null, [...wanted]);
      else callback(null, first.address, first.family);
    };
    const known = this.#addresses;
    if (known === undefined) this.resolve().then(answer, (error) => callback(error, ''));
    else answer(known);
    if (known !== undefined && known !== LOOPBACK && this.#now() - this.#lookedUpAt > FRESH_MS)
      this.resolve().catch(() => {});
  };

  /** The next connection looks the host up anew, as a server may have moved when it no longer answers. */
  expire(): void {
    this.#lookedUpAt = Number.NEGATIVE_INFINITY;
  }

  /** Looks the host up; calls at the same time share one look-up. Rejects when it is unknown. */
  resolve(): Promise<readonly LookupAddress[]> {
    if (this.#addresses === LOOPBACK) return Promise.resolve(LOOPBACK);
    this.#pending ??= lookUp(this.#host)
      .then((addresses) => {
        this.#addresses = addresses;
        this.#lookedUpAt = this.#now();
        return addresses;
      })
      .finally(() => {
        this.#pending = undefined;
      });
    return this.#pending;
  }
}

function lookUp(host: string): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => askServers(host).then(resolve, () => {}), PATIENCE_MS);
    timer.unref();
    lookup(host, { all: true }, (error, addresses) => {
      clearTimeout(timer);
      if (error === null) resolve(addresses);
      else reject(error);
    });
  });
}

async function askServers(host: string): Promise<LookupAddress[]> {
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  const ask = (family: 4 | 6) =>
    new Promise<LookupAddress[]>((resolve) => {
      const done = (_error: Error | null, addresses: string[] | undefined) =>
        resolve((addresses ?? []).map((address) => ({ address, family })));
      if (family === 4) resolver.resolve4(host, done);
      else resolver.resolve6(host, done);
    });
  const addresses = (await Promise.all([ask(4), ask(6)])).flat();
  if (addresses.length === 0) throw notFound(host);
  return addresses;
}

function notFound(host: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`no address of ${host} is known`), { code: 'ENOTFOUND' });
}
