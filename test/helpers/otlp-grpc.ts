import type { IncomingHttpHeaders } from 'node:http';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js';
import { encodeResponse, type Signal } from './otlp-schema.ts';

const METHODS: Record<Signal, string> = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
};

type Accept = (
  signal: Signal,
  path: string,
  headers: IncomingHttpHeaders,
  body: Uint8Array,
) => Promise<{ status: number; rejected: number }>;

/** The gRPC side of the receiver. */
export class GrpcEndpoint {
  port: number;
  readonly #accept: Accept;
  #server: Server | undefined;

  constructor(port: number, accept: Accept) {
    this.port = port;
    this.#accept = accept;
  }

  async up(): Promise<void> {
    const server = new Server();
    this.#server = server;
    for (const [signal, path] of Object.entries(METHODS) as [Signal, string][]) {
      const bytes = (message: Buffer) => message;
      const method = {
        path,
        requestStream: false,
        responseStream: false,
        requestSerialize: bytes,
        requestDeserialize: bytes,
        responseSerialize: bytes,
        responseDeserialize: bytes,
      };
      const handler = (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) =>
        void this.#answer(signal, path, call, reply);
      server.addService({ Export: method }, { Export: handler });
    }
    this.port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${this.port}`, ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
  }

  down(): void {
    this.#server?.forceShutdown();
  }

  async #answer(
    signal: Signal,
    path: string,
    call: ServerUnaryCall<Buffer, Buffer>,
    reply: sendUnaryData<Buffer>,
  ): Promise<void> {
    const headers = call.metadata.getMap() as IncomingHttpHeaders;
    const answer = await this.#accept(signal, path, headers, call.request);
    if (answer.status === 200) reply(null, Buffer.from(encodeResponse(answer.rejected)));
    else if (answer.status === 503) reply({ code: status.UNAVAILABLE, details: 'test' });
    else reply({ code: status.INVALID_ARGUMENT, details: 'test' });
  }
}
