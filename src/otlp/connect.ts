import type { Protocol, Signal } from '../config/otel.ts';
import type { Encoder } from './encoder.ts';
import { openHttp } from './http.ts';
import { protobufEncoder } from './protobuf.ts';
import type { Transport } from './transport.ts';

export interface Connection {
  readonly encoder: Encoder;
  readonly transport: Transport;
}

/** Endpoint, headers, compression, certificates and timeout come from the OTEL_EXPORTER_OTLP_* variables of this thread. */
export async function connect(signal: Signal, protocol: Protocol): Promise<Connection> {
  switch (protocol) {
    case 'http/protobuf':
      return { encoder: protobufEncoder, transport: await openHttp(signal, protobufEncoder.contentType) };
    case 'http/json': {
      const { jsonEncoder } = await import('./json.ts');
      return { encoder: jsonEncoder, transport: await openHttp(signal, jsonEncoder.contentType) };
    }
    case 'grpc': {
      // Loaded only where it is asked for: gRPC is many times the size of all else here.
      const { openGrpc } = await import('./grpc.ts');
      return { encoder: protobufEncoder, transport: openGrpc(signal) };
    }
  }
}
