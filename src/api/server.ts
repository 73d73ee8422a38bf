import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type Admission, type AdmissionOptions, createAdmission } from './admission.ts';
import { type Answer, ApiError, failure } from './answer.ts';
import { readForm } from './form.ts';
import { Gate } from './gate.ts';
import { Parameters } from './parameters.ts';
import { type ApiSources, createRoutes, type Route } from './routes.ts';
import { Turn } from './turn.ts';

/** Bounds of what clients may cost; times in ms. */
export interface ApiLimits {
  readonly connections: number;
  /** Requests worked on at once, until their answers are sent; and how many more may wait for that. */
  readonly inside: number;
  readonly waiting: number;
  /** For one request, from its admission until its answer is there. */
  readonly queryMs: number;
  /** For a request to arrive; for its answer to be taken; for an idle connection to be used again. */
  readonly arriveMs: number;
  readonly sendMs: number;
  readonly idleMs: number;
  /** Between two attempts to listen at a port that another process has. */
  readonly retryMs: number;
}

export const LIMITS: ApiLimits = {
  connections: 64,
  inside: 4,
  waiting: 32,
  queryMs: 10_000,
  arriveMs: 5000,
  sendMs: 10_000,
  idleMs: 30_000,
  retryMs: 10_000,
};

const MAX_HEADER_BYTES = 16_384;

export interface ApiServerOptions extends AdmissionOptions, ApiSources {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly limits?: Partial<ApiLimits>;
  /** Called with the address once it listens. */
  readonly onListening: (address: { host: string; port: number }) => void;
  /** Called for each failed attempt to listen; it is tried again. */
  readonly onBusy: (error: Error) => void;
  readonly onRequest: (status: number) => void;
  /** A connection was closed unread, as there are too many. */
  readonly onDropped: () => void;
  /** A fault of ours. */
  readonly onFault: (error: unknown) => void;
}

const SECURITY = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

/** Node.js's codes for requests that it gives up, and the status that each is answered with; any other is 400. */
const MALFORMED: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** The HTTP server of the agent. It keeps no process alive. */
export class ApiServer {
  readonly #options: ApiServerOptions;
  readonly #limits: ApiLimits;
  readonly #admit: Admission;
  readonly #routeOf: (path: string) => Route | undefined;
  readonly #gate: Gate;
  readonly #server: Server;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#admit = createAdmission(options);
    this.#routeOf = createRoutes(options);
    this.#gate = new Gate(this.#limits.inside, this.#limits.waiting);
    const { connections, arriveMs, idleMs } = this.#limits;
    this.#server = createServer({
      headersTimeout: arriveMs,
      requestTimeout: arriveMs,
      keepAliveTimeout: idleMs,
      connectionsCheckingInterval: Math.min(1000, arriveMs),
      maxHeaderSize: MAX_HEADER_BYTES,
    });
    this.#server.maxConnections = connections;
    this.#server
      .on('request', (request, response) => void this.#serve(request, response))
      .on('clientError', (error, socket) => this.#refuse(error, socket as Socket))
      .on('drop', options.onDropped)
      .on('listening', () => this.#listening())
      .on('error', (error) => this.#busy(error))
      .unref();
  }

  listen(): void {
    const { host, port } = this.#options;
    // In a cluster the primary would share the port among its workers, and each answer would be another worker's.
    this.#server.listen({ host, port, exclusive: true });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    if (!this.#server.listening) return;
    await new Promise((done) => {
      this.#server.close(done);
      this.#server.closeAllConnections();
    });
  }

  #listening(): void {
    const { address: host, port } = this.#server.address() as AddressInfo;
    this.#options.onListening({ host, port });
  }

  #busy(error: Error): void {
    if (this.#isClosed) return;
    this.#options.onBusy(error);
    this.#retry = setTimeout(() => this.listen(), this.#limits.retryMs).unref();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    response.on('error', () => {});
    let answer: Answer;
    let leave = (): void => {};
    try {
      const [path = '', query = ''] = split(request.url ?? '');
      const route = this.#routeOf(path);
      this.#admit(request.headers, route?.open !== true);
      checkMethod(route, request.method ?? '');
      const form = request.method === 'POST' ? await readForm(request) : '';
      if (route.open !== true) leave = await this.#enter();
      if (gone.signal.aborted) throw new ApiError('canceled', 'the client has left');
      const parameters = new Parameters(query, form);
      const own =
        parameters.get('timeout') === '' ? Number.POSITIVE_INFINITY : parameters.duration('timeout');
      const turn = new Turn(gone.signal, Math.min(own, this.#limits.queryMs));
      answer = await route.answer({ parameters, accept: request.headers.accept, turn });
    } catch (error) {
      answer = failure(this.#errorOf(error));
    }
    response.once('close', leave);
    if (gone.signal.aborted) leave();
    this.#send(request, response, answer);
    this.#options.onRequest(answer.status);
  }

  /** What is no HTTP, is too large or came too slowly, for which Node.js has no answer object. */
  #refuse(error: NodeJS.ErrnoException, socket: Socket): void {
    const status = MALFORMED[error.code ?? ''] ?? 400;
    if (socket.writable)
      socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`);
    socket.destroySoon();
    this.#options.onRequest(status);
  }

  #enter(): Promise<() => void> {
    const entered = this.#gate.enter();
    if (entered === undefined)
      throw new ApiError('unavailable', 'too many requests at once', { 'Retry-After': '1' });
    return entered;
  }

  #errorOf(error: unknown): ApiError {
    if (error instanceof ApiError) return error;
    this.#options.onFault(error);
    return new ApiError('internal', error instanceof Error ? error.message : String(error));
  }

  #send(request: IncomingMessage, response: ServerResponse, { status, type, body, headers }: Answer): void {
    if (response.destroyed) return;
    const bytes = Buffer.from(body.join(''));
    // What is left of a request that was not read to its end is not worth reading.
    if (!request.complete) response.shouldKeepAlive = false;
    response.writeHead(status, {
      ...SECURITY,
      'Content-Type': type,
      'Content-Length': bytes.length,
      ...headers,
    });
    const tooSlow = setTimeout(() => request.socket.destroy(), this.#limits.sendMs).unref();
    response.once('close', () => clearTimeout(tooSlow));
    response.end(request.method === 'HEAD' ? undefined : bytes);
  }
}

/** Path and query of a request's target, neither decoded. */
function split(target: string): string[] {
  const at = target.indexOf('?');
  return at < 0 ? [target] : [target.slice(0, at), target.slice(at + 1)];
}

/** @throws ApiError when there is no such route, or not for this method */
function checkMethod(route: Route | undefined, method: string): asserts route is Route {
  if (route === undefined) throw new ApiError('not_found', 'no such endpoint');
  const allowed = route.post === true ? ['GET', 'HEAD', 'POST'] : ['GET', 'HEAD'];
  if (allowed.includes(method)) return;
  throw new ApiError('method_not_allowed', `allowed: ${allowed.join(', ')}`, { Allow: allowed.join(', ') });
}
