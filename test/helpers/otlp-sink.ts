import { fstatSync } from 'node:fs';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { GrpcEndpoint } from './otlp-grpc.ts';
import {
  type Received,
  type ReceivedLog,
  type ReceivedPoint,
  type ReceivedSpan,
  readRequest,
} from './otlp-items.ts';
import { encodeResponse, type Signal } from './otlp-schema.ts';

/** How the receiver misbehaves. `status` is an HTTP status; over gRPC 503 is UNAVAILABLE, anything else INVALID_ARGUMENT. */
export interface Fault {
  readonly status?: number;
  /** Header Retry-After, s. */
  readonly retryAfter?: number;
  /** Time before an answer, ms. */
  readonly delayMs?: number;
  /** Items that it says it rejected, of a request it accepts. */
  readonly rejected?: number;
}

export interface ReceivedRequest {
  readonly signal: Signal;
  readonly protocol: 'http/protobuf' | 'http/json' | 'grpc';
  /** Path of the URL or of the gRPC method. */
  readonly path: string;
  /** Headers, or metadata of gRPC. */
  readonly headers: IncomingHttpHeaders;
  /** Bytes before decompression; after it for gRPC. */
  readonly size: number;
  readonly items: number;
  /** What the receiver answered: an HTTP status. */
  readonly status: number;
  readonly receivedAt: number;
}

export interface SinkOptions {
  /** 0, the default, takes a free port. */
  readonly port?: number;
  readonly grpcPort?: number;
  /** Called for every item as it arrives. */
  readonly onItem?: (item: Received) => void;
  /** Keep no items, for long runs. */
  readonly forget?: boolean;
}

/** A real OTLP receiver: HTTP with protobuf and JSON, gRPC, gzip on all; on the loopback interface. */
export class OtlpSink {
  readonly spans: ReceivedSpan[] = [];
  readonly logs: ReceivedLog[] = [];
  readonly metrics: ReceivedPoint[] = [];
  readonly requests: ReceivedRequest[] = [];
  /** Applied to every request that arrives from now on. */
  fault: Fault = {};
  port = 0;
  readonly #options: SinkOptions;
  readonly #grpc: GrpcEndpoint;
  readonly #watchers = new Set<() => void>();
  #http: Server | undefined;

  constructor(options: SinkOptions = {}) {
    this.#options = options;
    this.port = options.port ?? 0;
    this.#grpc = new GrpcEndpoint(options.grpcPort ?? 0, (signal, path, headers, body) =>
      this.#accept(signal, 'grpc', path, headers, body, body.length),
    );
  }

  get grpcPort(): number {
    return this.#grpc.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get grpcUrl(): string {
    return `http://127.0.0.1:${this.grpcPort}`;
  }

  /** Starts to listen, or does so again on the same ports. */
  async up(): Promise<void> {
    const server = createServer((request, response) => void this.#answer(request, response));
    this.#http = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(this.port, '127.0.0.1', resolve);
    });
    this.port = (server.address() as AddressInfo).port;
    await this.#grpc.up();
  }

  /** Refuses connections, and cuts those that are open. */
  async down(): Promise<void> {
    const closed = new Promise((resolve) => this.#http?.close(resolve));
    this.#http?.closeAllConnections();
    this.#grpc.down();
    await closed;
  }

  clear(): void {
    for (const list of [this.spans, this.logs, this.metrics, this.requests]) list.length = 0;
  }

  /** The first value of `find` that is neither undefined nor false, looked for after every request. Rejects after `limitMs`. */
  async waitFor<T>(find: (sink: this) => T | undefined | false, limitMs = 10_000): Promise<T> {
    const first = find(this);
    if (first !== undefined && first !== false) return first;
    return new Promise<T>((resolve, reject) => {
      const look = () => {
        const found = find(this);
        if (found === undefined || found === false) return;
        end();
        resolve(found);
      };
      const timer = setTimeout(() => {
        end();
        const { spans, logs, metrics, requests } = this;
        const seen = `${requests.length} requests, ${spans.length} spans, ${logs.length} logs, ${metrics.length} points`;
        reject(new Error(`not received within ${limitMs} ms: ${find}; received ${seen}`));
      }, limitMs);
      const end = () => {
        clearTimeout(timer);
        this.#watchers.delete(look);
      };
      this.#watchers.add(look);
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    const signal = (['traces', 'metrics', 'logs'] as const).find((name) => path.endsWith(`/v1/${name}`));
    const { fault } = this;
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return;
    }
    if (signal === undefined || request.method !== 'POST') {
      response.writeHead(404).end();
      return;
    }
    const raw = Buffer.concat(chunks);
    const json = request.headers['content-type'] === 'application/json';
    const protocol = json ? 'http/json' : 'http/protobuf';
    const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
    const { status, rejected } = await this.#accept(
      signal,
      protocol,
      path,
      request.headers,
      body,
      raw.length,
    );
    const type = json ? 'application/json' : 'application/x-protobuf';
    const headers: Record<string, string> = { 'content-type': type };
    if (fault.retryAfter !== undefined) headers['retry-after'] = String(fault.retryAfter);
    const partial = json
      ? JSON.stringify({ partialSuccess: { rejectedSpans: String(rejected) } })
      : encodeResponse(rejected);
    response.writeHead(status, headers).end(status === 200 ? partial : '');
  }

  async #accept(
    signal: Signal,
    protocol: ReceivedRequest['protocol'],
    path: string,
    headers: IncomingHttpHeaders,
    body: Uint8Array,
    size: number,
  ): Promise<{ status: number; rejected: number }> {
    const receivedAt = performance.timeOrigin + performance.now();
    const { delayMs, rejected = 0 } = this.fault;
    if (delayMs !== undefined) await new Promise((later) => setTimeout(later, delayMs).unref());
    let { status = 200 } = this.fault;
    let items: Received[] = [];
    try {
      if (status === 200) items = readRequest(signal, body, protocol === 'http/json', receivedAt);
    } catch (error) {
      console.error(`otlp sink: malformed ${signal} request:`, error);
      status = 400;
    }
    for (const item of items) {
      this.#options.onItem?.(item);
      if (this.#options.forget) continue;
      if (item.signal === 'traces') this.spans.push(item);
      else if (item.signal === 'logs') this.logs.push(item);
      else this.metrics.push(item);
    }
    if (!this.#options.forget)
      this.requests.push({ signal, protocol, path, headers, size, items: items.length, status, receivedAt });
    for (const look of [...this.#watchers]) look();
    return { status, rejected };
  }
}

/** A receiver that listens. */
export async function startSink(options: SinkOptions = {}): Promise<OtlpSink> {
  const sink = new OtlpSink(options);
  await sink.up();
  return sink;
}

/**
 * `node otlp-sink.ts [--port 0] [--grpc-port 0]`: first line of stdout `{"port":N,"grpcPort":N}`, then one line for each item.
 * A line of stdin is a {@link Fault} to apply from then on. Ends with its parent, where stdin comes from one.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { port: { type: 'string', default: '0' }, 'grpc-port': { type: 'string', default: '0' } },
  });
  const print = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`);
  const sink = await startSink({
    port: Number(values.port),
    grpcPort: Number(values['grpc-port']),
    onItem: print,
    forget: true,
  });
  print({ port: sink.port, grpcPort: sink.grpcPort });
  process.stdin.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.split('\n')) if (line.trim() !== '') sink.fault = JSON.parse(line);
  });
  // Without a parent that writes, stdin is a terminal or /dev/null.
  if (fstatSync(0).isFIFO() || fstatSync(0).isSocket()) process.stdin.on('end', () => process.exit());
}

if (process.argv[1] === import.meta.filename) await main();
