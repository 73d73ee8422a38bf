import { type IncomingHttpHeaders, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { after } from 'node:test';
import { ApiServer, type ApiServerOptions } from '../../src/api/server.ts';
import type { Labels } from '../../src/model/labels.ts';
import { Registry } from '../../src/store/registry.ts';
import { SeriesStore } from '../../src/store/series-store.ts';

/** 2023-11-14T22:13:20Z */
export const T0 = 1_700_000_000_000;
export const STEP = 5000;

/** What a series has at a tick; undefined for nothing. */
export type ValueAt = (tick: number) => number | undefined;

/** A store with a tick every 5 s from {@link T0} on. */
export function storeOf(series: readonly (readonly [Labels, ValueAt])[], ticks = 20): SeriesStore {
  const store = new SeriesStore({ maxSeries: 10_000, maxTicks: ticks });
  for (let tick = 0; tick < ticks; tick++)
    store.append(
      T0 + tick * STEP,
      series.flatMap(([labels, at]) => {
        const value = at(tick);
        return value === undefined ? [] : [{ labels, value }];
      }),
    );
  return store;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The body as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: answers have many shapes
  readonly json: any;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Served {
  readonly port: number;
  readonly statuses: number[];
  readonly faults: unknown[];
  readonly busy: Error[];
  readonly server: ApiServer;
  ask(path: string, asked?: Asked): Promise<Answered>;
  /** GET of an endpoint under /api/v1. */
  get(endpoint: string, parameters?: Readonly<Record<string, string>>): Promise<Answered>;
  post(endpoint: string, parameters: Readonly<Record<string, string>>): Promise<Answered>;
  /** A bare connection to the server. */
  connect(): Socket;
}

const opened: ApiServer[] = [];
const sockets: Socket[] = [];
// The server keeps no process alive, and what a test waits for may be nothing but the server.
const alive = setInterval(() => {}, 1000);
after(async () => {
  clearInterval(alive);
  for (const socket of sockets) socket.destroy();
  for (const server of opened) await server.close();
});

/** Serves what is given on a free port of the loopback interface, until the tests of the file have ended. */
export async function serve(over: Partial<ApiServerOptions> = {}): Promise<Served> {
  const listening = Promise.withResolvers<number>();
  const told = { statuses: [] as number[], faults: [] as unknown[], busy: [] as Error[] };
  const server = new ApiServer({
    host: '127.0.0.1',
    port: 0,
    hosts: [],
    token: '',
    queryable: storeOf([]),
    now: () => T0 + 19 * STEP,
    rules: () => [],
    metrics: () => new Registry(T0, { maxSeriesPerMetric: 100 }).metrics(),
    resource: { 'service.name': 'worker' },
    onListening: ({ port }) => listening.resolve(port),
    onBusy: (error) => told.busy.push(error),
    onRequest: (status) => told.statuses.push(status),
    onDropped: () => {},
    onFault: (error) => told.faults.push(error),
    ...over,
  });
  opened.push(server);
  server.listen();
  const port = over.port === undefined || over.port === 0 ? await listening.promise : over.port;
  const ask: Served['ask'] = (path, asked) => askPort(port, path, asked);
  const form = (parameters: Readonly<Record<string, string>>): string =>
    String(new URLSearchParams(parameters));
  const served: Served = Object.assign(told, {
    port,
    server,
    ask,
    get: (endpoint: string, parameters = {}) => ask(`/api/v1/${endpoint}?${form(parameters)}`),
    post: (endpoint: string, parameters: Readonly<Record<string, string>>) =>
      ask(`/api/v1/${endpoint}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body: form(parameters),
      }),
    connect: () => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      sockets.push(socket);
      return socket;
    },
  });
  return served;
}

/** One request on a connection of its own; headers may be any, `Host` too. */
export function askPort(port: number, path: string, { method = 'GET', headers = {}, body }: Asked = {}) {
  return new Promise<Answered>((fulfil, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () =>
        fulfil({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: text,
          get json() {
            return JSON.parse(text);
          },
        }),
      );
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end(body);
  });
}
