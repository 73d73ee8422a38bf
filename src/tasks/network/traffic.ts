import type { Outbox } from '../../bridge/outbox.ts';
import {
  REQUEST_OUTCOMES,
  type RequestOutcome,
  type ServerKey,
  type TrafficRow,
} from '../../bridge/protocol.ts';

/** A server, by the number that the agent knows it by. */
export interface Server extends ServerKey {
  readonly id: number;
}

/** What a task and a server have exchanged since it was last handed over. */
export interface Traffic {
  readonly taskId: number;
  readonly server: Server;
  /** Finished requests, in the order of REQUEST_OUTCOMES. */
  readonly requests: number[];
  /** ms */
  time: number;
  bytesIn: number;
  bytesOut: number;
  isChanged: boolean;
}

/** In the place of a task: bytes of connections that are no single run's. */
export const SHARED = -1;

/** Rows of one record: what a record may hold is bounded. */
const MAX_ROWS = 100;
/** Origins whose server is looked up without parsing them. */
const MAX_ORIGINS = 1000;
/** What the convention calls a server on a Unix domain socket whose path is not known. */
const PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

/** Traffic by task and server, gathered between two hand-overs. */
export class TrafficTable {
  readonly #maxServers: number;
  readonly #servers = new Map<string, Server>();
  readonly #origins = new Map<string, Server>();
  /** By protocol and Host header: joining them for one map costs more. */
  readonly #named = new Map<string, Map<string, Server>>();
  readonly #traffic = new Map<number, Traffic>();
  readonly #changed: Traffic[] = [];
  readonly #untold: Server[] = [];

  /** @param maxServers servers that are told apart; further ones are "other" */
  constructor(maxServers: number) {
    this.#maxServers = maxServers;
  }

  server(address: string, port: number | undefined): Server {
    const key = `${address}\u0001${port ?? ''}`;
    const known = this.#servers.get(key);
    if (known !== undefined) return known;
    if (this.#servers.size < this.#maxServers) return this.#add(key, address, port);
    return this.#servers.get('other') ?? this.#add('other', 'other', undefined);
  }

  #add(key: string, address: string, port: number | undefined): Server {
    const server: Server = { id: this.#servers.size, address: address.slice(0, 255), port };
    this.#servers.set(key, server);
    this.#untold.push(server);
    return server;
  }

  /** @param origin such as `https://example.org:8080`; anything else is a server "unknown" */
  origin(origin: string): Server {
    const known = this.#origins.get(origin);
    if (known !== undefined) return known;
    const url = URL.canParse(origin) ? new URL(origin) : undefined;
    const port = url === undefined ? undefined : Number(url.port) || PORTS[url.protocol];
    const server = this.server(url?.hostname.replace(/^\[|\]$/g, '') || 'unknown', port);
    if (this.#origins.size >= MAX_ORIGINS) this.#origins.clear();
    this.#origins.set(origin, server);
    return server;
  }

  /** @param protocol such as `https:`, @param host as in a Host header */
  named(protocol: string, host: string): Server {
    let servers = this.#named.get(protocol);
    if (servers === undefined) {
      servers = new Map();
      this.#named.set(protocol, servers);
    }
    let server = servers.get(host);
    if (server === undefined) {
      server = this.origin(`${protocol}//${host}`);
      if (servers.size >= MAX_ORIGINS) servers.clear();
      servers.set(host, server);
    }
    return server;
  }

  /** @param taskId number of the task, or SHARED */
  of(taskId: number, server: Server): Traffic {
    const key = (taskId + 1) * 65_536 + server.id;
    let traffic = this.#traffic.get(key);
    if (traffic === undefined) {
      const requests = REQUEST_OUTCOMES.map(() => 0);
      traffic = { taskId, server, requests, time: 0, bytesIn: 0, bytesOut: 0, isChanged: false };
      this.#traffic.set(key, traffic);
    }
    return traffic;
  }

  addBytes(traffic: Traffic, read: number, written: number): void {
    traffic.bytesIn += read;
    traffic.bytesOut += written;
    this.#touch(traffic);
  }

  /** A request has ended after `ms`. */
  addRequest(traffic: Traffic, outcome: RequestOutcome, ms: number): void {
    traffic.requests[REQUEST_OUTCOMES.indexOf(outcome)]!++;
    traffic.time += ms;
    this.#touch(traffic);
  }

  #touch(traffic: Traffic): void {
    if (traffic.isChanged) return;
    traffic.isChanged = true;
    this.#changed.push(traffic);
  }

  /** Hands over what has changed; what the ring has no room for waits for the next time. */
  flush(outbox: Outbox): void {
    while (this.#untold.length > 0) {
      if (!outbox.server(this.#untold[0]!)) return;
      this.#untold.shift();
    }
    while (this.#changed.length > 0) {
      const part = this.#changed.slice(-MAX_ROWS);
      if (!outbox.traffic(part.map(rowOf))) return;
      this.#changed.length -= part.length;
      for (const traffic of part) {
        traffic.requests.fill(0);
        traffic.time = 0;
        traffic.bytesIn = 0;
        traffic.bytesOut = 0;
        traffic.isChanged = false;
      }
    }
  }
}

function rowOf({ taskId, server, bytesIn, bytesOut, time, requests }: Traffic): TrafficRow {
  return [taskId, server.id, bytesIn, bytesOut, Math.round(time * 1000) / 1000, ...requests];
}
