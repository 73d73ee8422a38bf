import diagnostics from 'node:diagnostics_channel';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { ClientHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Outbox } from '../../bridge/outbox.ts';
import { threadMs } from '../../model/clock.ts';
import { type Run, runStorage } from '../context.ts';
import type { Exchange } from '../network/connection.ts';
import { Connections, type Replace } from '../network/connections.ts';
import { type Server, TrafficTable } from '../network/traffic.ts';

export interface NetworkMeterOptions {
  /** Servers that are told apart. */
  readonly maxServers: number;
  /** Replaces a method until the function that it gives back is called; throws where it cannot. */
  readonly replace: Replace;
  readonly onError: (error: unknown) => void;
}

/** On a request: cheaper than a weak map by 3 µs, which every collection of garbage would walk besides. */
const EXCHANGE = Symbol('taskwarden.exchange');
interface Request {
  [EXCHANGE]?: Exchange;
}

// Messages have the members that the channel's name says; a request is undici's, node:http's or a stream of HTTP/2.
interface Message {
  readonly request: AnyRequest;
  readonly stream: Stream;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly response: { readonly statusCode: number };
  readonly socket: Socket;
  readonly error: unknown;
}

interface UndiciRequest {
  readonly origin: unknown;
  readonly upgrade: unknown;
}

type AnyRequest = ClientRequest & UndiciRequest & HttpRequest & Request;
type Stream = ClientHttp2Stream & Request;

/** Code of a stream that somebody wants no longer, and of those of a session that has ended. */
const NGHTTP2_CANCEL = 8;

/** Private parts of node:http's requests. */
interface HttpRequest {
  readonly upgradeOrConnect?: boolean;
  readonly res?: IncomingMessage | null;
}

/**
 * Requests and bytes of each run, and of each task by server, from Node's own diagnostics channels: `undici:*` (fetch and undici),
 * `http.client.*` (http and https), `http2.client.stream.*`, and `net.client.socket` for all that uses sockets without them. Where
 * Node.js has not all of those of HTTP/2, somebody else tells of requests.
 */
export class NetworkMeter {
  readonly #options: NetworkMeterOptions;
  readonly #traffic: TrafficTable;
  readonly #connections: Connections;

  constructor(options: NetworkMeterOptions) {
    this.#options = options;
    this.#traffic = new TrafficTable(options.maxServers);
    this.#connections = new Connections(this.#traffic, options.replace);
  }

  /** Begins to listen; returns what ends it. */
  start(): () => void {
    const listeners: [channel: string, listener: (message: Message) => void][] = [
      ['net.client.socket', ({ socket }) => this.#connections.opened(socket)],
      ['undici:client:connected', ({ socket }) => this.#ofUndici(socket)],
      ['undici:request:create', ({ request }) => this.#beginUndici(request)],
      ['undici:client:sendHeaders', ({ request, socket }) => this.#attach(request, socket)],
      ['undici:request:headers', ({ request, response }) => this.#answered(request, response.statusCode)],
      ['undici:request:trailers', ({ request }) => this.#end(request)],
      ['undici:request:error', ({ request, error }) => this.#end(request, error)],
      ['http.client.request.created', ({ request }) => this.#beginHttp(request)],
      [
        'http.client.response.finish',
        ({ request, response }) => this.#answered(request, response.statusCode),
      ],
      ['http.client.request.error', ({ request, error }) => this.#failedHttp(request, error)],
      ['http2.client.stream.created', ({ stream }) => this.#beginHttp2(stream)],
      ['http2.client.stream.finish', ({ stream, headers }) => this.#answered(stream, headers[':status'])],
      ['http2.client.stream.error', ({ stream, error }) => this.#end(stream, error)],
    ];
    const guarded = listeners.map(([channel, listener]): [string, (message: unknown) => void] => [
      channel,
      (message) => {
        try {
          listener(message as Message);
        } catch (error) {
          this.#options.onError(error);
        }
      },
    ]);
    for (const [channel, listener] of guarded) diagnostics.subscribe(channel, listener);
    return () => {
      for (const [channel, listener] of guarded) diagnostics.unsubscribe(channel, listener);
      this.#connections.stop();
    };
  }

  /** A request of HTTP/2 has been made, of which no channel tells, or of its begin alone. Never throws. */
  http2Requested(stream: ClientHttp2Stream): void {
    this.#guard(() => {
      const request: Stream = stream;
      if (request[EXCHANGE] === undefined) this.#beginHttp2(request);
      if (request[EXCHANGE] === undefined) return;
      stream.once('response', (headers) => this.#guard(() => this.#answered(request, headers[':status'])));
    });
  }

  /** A pool that serves several runs has a socket from now on; undefined where there is none. Never throws. */
  pooled(socketOf: () => Socket | undefined): void {
    this.#guard(() => this.#connections.pooled(socketOf()));
  }

  /** The TLS socket that is written to in place of one below it, as far as that is known. */
  above(socket: object): object | undefined {
    return this.#connections.above(socket);
  }

  /** Charges a run what it has used up to now. */
  settle(run: Run): void {
    this.#connections.settle(run);
  }

  /** A run that has used the network ends; to be called before it is marked as ended. */
  ended(run: Run): void {
    this.#connections.ended(run);
  }

  /** To be called about once a second. */
  check(): void {
    this.#connections.check();
  }

  /** Hands over what was exchanged with servers since the last time. */
  flush(outbox: Outbox): void {
    this.#traffic.flush(outbox);
  }

  #begin(request: Request, server: Server, upgrades: boolean): Exchange {
    const run = runStorage.getStore();
    const payer = run === undefined || run.ended ? undefined : run;
    if (payer !== undefined) payer.requests++;
    const exchange: Exchange = {
      payer,
      traffic: payer === undefined ? undefined : this.#traffic.of(payer.taskId, server),
      server,
      startMs: threadMs(),
      connection: undefined,
      status: 0,
      error: undefined,
      timedOut: false,
      upgradeAt: upgrades ? 0 : undefined,
      isCounted: false,
      isDone: false,
    };
    request[EXCHANGE] = exchange;
    return exchange;
  }

  #attach(request: Request, socket: Socket): void {
    const exchange = request[EXCHANGE];
    if (exchange !== undefined) this.#connections.attach(exchange, socket);
  }

  #answered(request: Request, status: unknown): void {
    const exchange = request[EXCHANGE];
    if (exchange !== undefined) exchange.status = Number(status);
  }

  #end(request: Request, error?: unknown): void {
    const exchange = request[EXCHANGE];
    if (exchange === undefined) return;
    exchange.error ??= error;
    this.#connections.finish(exchange);
  }

  #ofUndici(socket: Socket): void {
    const connection = this.#connections.of(socket);
    if (connection !== undefined) connection.isOfUndici = true;
  }

  #beginUndici(request: AnyRequest): void {
    const upgrades = Boolean(request.upgrade) || request.method === 'CONNECT';
    this.#begin(request, this.#traffic.origin(String(request.origin)), upgrades);
  }

  /** Comes while the request is made, in the caller's context and before anything of it is written. */
  #beginHttp(request: AnyRequest): void {
    const named = this.#serverOfHttp(request);
    this.#begin(
      request,
      named ?? this.#traffic.origin(`${request.protocol}//${bracketed(request.host)}`),
      false,
    );
    request.on('socket', named === undefined ? this.#onSocketOfUnnamed : this.#onSocket);
    request.on('timeout', onTimeout);
    request.on('close', this.#onClose);
  }

  // Listeners are the same functions for all requests, as closures of each, and `once`, cost a microsecond more. They come once all the same.
  readonly #onSocket = this.#listener((request, socket: Socket) => this.#attach(request, socket));
  readonly #onSocketOfUnnamed = this.#listener((request, socket: Socket) => {
    this.#attach(request, socket);
    this.#locate(request[EXCHANGE]!, request.host, socket);
  });
  readonly #onClose = this.#listener((request) => this.#endHttp(request, request[EXCHANGE]!));

  #listener<T>(call: (request: AnyRequest, what: T) => void): (this: unknown, what: T) => void {
    const onError = (error: unknown): void => this.#options.onError(error);
    return function (this: unknown, what) {
      try {
        call(this as AnyRequest, what);
      } catch (error) {
        onError(error);
      }
    };
  }

  /** Undefined where the header, which alone has the port, names another host: the application's, or that of CONNECT (Node.js 26). */
  #serverOfHttp(request: ClientRequest): Server | undefined {
    const { protocol, socketPath } = request as ClientRequest & { socketPath?: string };
    if (typeof socketPath === 'string') return this.#traffic.server(socketPath, undefined);
    const header = request.getHeader('host');
    if (typeof header !== 'string') return undefined;
    const host = bracketed(request.host);
    const isOwn = header.startsWith(host) && (header.length === host.length || header[host.length] === ':');
    return isOwn ? this.#traffic.named(protocol, header) : undefined;
  }

  #locate(exchange: Exchange, host: string, socket: Socket): void {
    const locate = (): void =>
      this.#guard(() => this.#connections.locate(exchange, this.#traffic.server(host, socket.remotePort)));
    if (socket.connecting) socket.once('connect', locate);
    else locate();
  }

  /** A request that its caller destroys ends as one whose server hangs up does, but is destroyed before it has an error. */
  #failedHttp(request: AnyRequest, error: unknown): void {
    const { code, syscall } = (error ?? {}) as { code?: unknown; syscall?: unknown };
    const isHungUp = code === 'ECONNRESET' && syscall === undefined;
    // The run may be over with the error, which comes before the end of the request.
    this.#end(request, isHungUp && isLeftByCaller(request) ? cutOff(true) : error);
  }

  #endHttp(request: AnyRequest, exchange: Exchange): void {
    if (request.upgradeOrConnect) {
      this.#connections.upgraded(exchange);
      return;
    }
    if (exchange.error === undefined) {
      const isCut = exchange.status === 0 || request.res?.complete === false;
      if (isCut) exchange.error = cutOff(isLeftByCaller(request));
    }
    this.#connections.finish(exchange);
  }

  /** Streams that undici makes are requests already, and what a server pushes, which has an even id, is none. */
  #beginHttp2(stream: Stream): void {
    const socket = stream.session?.socket as Socket | undefined;
    const connection = socket === undefined ? undefined : this.#connections.known(socket);
    if (connection?.isOfUndici || (stream.id ?? 1) % 2 === 0) return;
    // Not those of the message, which are as the caller gave them up to Node.js 22.17 and 24.2.
    const headers = stream.sentHeaders!;
    const origin = `${headers[':scheme']}://${headers[':authority']}`;
    const exchange = this.#begin(stream, this.#traffic.origin(origin), headers[':method'] === 'CONNECT');
    if (connection !== undefined) this.#connections.attach(exchange, connection.socket);
    // Its channel tells of the end before that of the error which ends it.
    stream.once('close', () => this.#guard(() => this.#endHttp2(stream, exchange)));
  }

  #endHttp2(stream: Stream, exchange: Exchange): void {
    const isCut = exchange.status === 0 || stream.rstCode === NGHTTP2_CANCEL;
    this.#end(stream, stream.errored ?? (isCut ? cutOff(!hasEnded(exchange.connection?.socket)) : undefined));
  }

  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#options.onError(error);
    }
  }
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function onTimeout(this: unknown): void {
  const exchange = (this as Request)[EXCHANGE]!;
  exchange.timedOut = exchange.status === 0;
}

/** Whether the connection ends because of the caller: neither has the other side closed it, nor is there an error of it. */
function isLeftByCaller(request: ClientRequest): boolean {
  return request.destroyed && !hasEnded(request.socket);
}

function hasEnded(socket: Socket | null | undefined): boolean {
  return Boolean(socket?.readableEnded || socket?.errored);
}

/** Stands for the error of what ends too early without one. */
function cutOff(byCaller: boolean): { readonly code: string } {
  return { code: byCaller ? 'ABORT_ERR' : 'ECONNRESET' };
}
