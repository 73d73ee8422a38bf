import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { after, before, test } from 'node:test';
import { Metadata, Server, ServerCredentials, type sendUnaryData, status } from '@grpc/grpc-js';
import { openGrpc } from '../../src/otlp/grpc.ts';
import { message, text, varintField } from '../../src/otlp/wire.ts';

const NO_IPV6 =
  Object.values(networkInterfaces())
    .flat()
    .every((one) => one?.address !== '::1') && 'no ::1 here';
const server = new Server();
const said: { code: number; details?: Uint8Array } = { code: status.OK };

before(async () => {
  const bytes = (body: Buffer): Buffer => body;
  const method = {
    path: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
    ...{ requestStream: false, responseStream: false },
    ...{ requestSerialize: bytes, requestDeserialize: bytes },
    ...{ responseSerialize: bytes, responseDeserialize: bytes },
  };
  const Export = (_call: unknown, reply: sendUnaryData<Buffer>): void => {
    const metadata = new Metadata();
    if (said.details !== undefined) metadata.set('grpc-status-details-bin', Buffer.from(said.details));
    const error = said.code === status.OK ? null : { code: said.code, details: 'test', metadata };
    reply(error, Buffer.alloc(0));
  };
  server.addService({ Export: method }, { Export });
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = `http://127.0.0.1:${await bind('127.0.0.1:0')}`;
});
after(() => server.forceShutdown());

/** @returns the port */
function bind(address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

/** A google.rpc.Status with these messages as details. */
function details(...any: [type: string, value: Uint8Array][]): Buffer {
  const packed = any.map(([type, value]) =>
    message(3, text(1, `type.googleapis.com/google.rpc.${type}`), message(2, value)),
  );
  return Buffer.concat([varintField(1, 8), text(2, 'busy'), ...packed]);
}

const after2500 = message(1, varintField(1, 2), varintField(2, 500_000_000));

test('a server that says when it expects to recover is left alone until then', async () => {
  const transport = openGrpc('logs');
  const { RESOURCE_EXHAUSTED, UNAVAILABLE, INVALID_ARGUMENT } = status;
  const retry = details(['ErrorInfo', text(1, 'QUOTA')], ['RetryInfo', after2500]);
  try {
    for (const [code, given, expected] of [
      [RESOURCE_EXHAUSTED, retry, ['retryable', 2500]],
      [UNAVAILABLE, retry, ['retryable', 2500]],
      [UNAVAILABLE, undefined, ['retryable', undefined]],
      [RESOURCE_EXHAUSTED, details(['RetryInfo', Buffer.alloc(0)]), ['retryable', 0]],
      [RESOURCE_EXHAUSTED, details(['ErrorInfo', text(1, 'google.rpc.RetryInfo')]), ['rejected', undefined]],
      [RESOURCE_EXHAUSTED, Buffer.from([0x1a, 0xff, 0xff]), ['rejected', undefined]],
      [INVALID_ARGUMENT, retry, ['rejected', undefined]],
    ] as const) {
      Object.assign(said, { code, details: given });
      const result = await transport.send(new Uint8Array(), 5000);
      const retryAfterMs = result.status === 'retryable' ? result.retryAfterMs : undefined;
      assert.deepEqual([result.status, retryAfterMs], expected);
    }
  } finally {
    transport.close();
  }
});

test('localhost is also the server that listens to IPv6 alone', { skip: NO_IPV6 }, async () => {
  const before = process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = `http://localhost:${await bind('[::1]:0')}`;
  Object.assign(said, { code: status.OK, details: undefined });
  const transport = openGrpc('logs');
  try {
    const results = [];
    for (let i = 0; i < 3; i++) results.push((await transport.send(new Uint8Array(), 5000)).status);
    assert.deepEqual(results, ['retryable', 'accepted', 'accepted']);
  } finally {
    transport.close();
    process.env.OTEL_EXPORTER_OTLP_ENDPOINT = before;
  }
});
