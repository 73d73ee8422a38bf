import diagnostics from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import type { Socket } from 'node:net';
import { type Run, runStorage } from '../context.ts';

/** An exchange on a socket: bytes are what the socket counted from its begin to its end. */
interface Exchange {
  run: Run;
  socket: Socket | undefined;
  readAtStart: number;
  writtenAtStart: number;
}

type Listener = (message: unknown) => void;

/**
 * Requests and bytes of each run, from Node's own diagnostics channels: `undici:*` (fetch and undici) and
 * `http.client.*` (http and https). HTTP/1.1 has one exchange at a time on a socket, so the socket's counters tell its bytes.
 */
export function meterNetwork(onError: (error: unknown) => void): () => void {
  const exchanges = new WeakMap<object, Exchange>();
  const listeners: [string, Listener][] = [
    ['undici:request:create', (message) => begin((message as { request: object }).request)],
    [
      'undici:client:sendHeaders',
      (message) => {
        const { request, socket } = message as { request: object; socket: Socket };
        attach(exchanges.get(request), socket);
      },
    ],
    ['undici:request:trailers', (message) => end((message as { request: object }).request)],
    ['undici:request:error', (message) => end((message as { request: object }).request)],
    ['http.client.request.created', (message) => beginHttp((message as { request: ClientRequest }).request)],
  ];

  function begin(request: object): Exchange | undefined {
    const run = runStorage.getStore();
    if (run === undefined || run.ended) return undefined;
    run.requests++;
    const exchange: Exchange = { run, socket: undefined, readAtStart: 0, writtenAtStart: 0 };
    exchanges.set(request, exchange);
    return exchange;
  }

  /** Comes while the request is made, in the caller's context and before anything of it is written. */
  function beginHttp(request: ClientRequest): void {
    const exchange = begin(request);
    if (exchange === undefined) return;
    request.once('socket', (socket: Socket) => attach(exchange, socket));
    request.once('close', () => end(request));
  }

  function attach(exchange: Exchange | undefined, socket: Socket): void {
    // A connection of the application's own making may be any stream.
    if (exchange === undefined || typeof socket.bytesRead !== 'number') return;
    exchange.socket = socket;
    exchange.readAtStart = socket.bytesRead;
    exchange.writtenAtStart = socket.bytesWritten;
  }

  function end(request: object): void {
    const exchange = exchanges.get(request);
    if (exchange?.socket === undefined) return;
    exchanges.delete(request);
    const { run, socket } = exchange;
    run.bytesIn += socket.bytesRead - exchange.readAtStart;
    run.bytesOut += socket.bytesWritten - exchange.writtenAtStart;
  }

  const guarded = listeners.map(([channel, listener]): [string, Listener] => [
    channel,
    (message) => {
      try {
        listener(message);
      } catch (error) {
        onError(error);
      }
    },
  ]);
  for (const [channel, listener] of guarded) diagnostics.subscribe(channel, listener);
  return () => {
    for (const [channel, listener] of guarded) diagnostics.unsubscribe(channel, listener);
  };
}
