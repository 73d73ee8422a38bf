import type { RunRecord } from '../bridge/inbox.ts';
import type { TaskKey } from '../bridge/protocol.ts';
import type { ResourceAttributes } from './resource.ts';
import { keyValues, message, messageParts, text, varintField } from './wire.ts';

/**
 * Spans of runs straight to OTLP protobuf. A worker at full speed ends thousands of runs a second, each a span of the same shape: what
 * is the same for a task is encoded once, the rest is written into place. The general serializer takes five times as long.
 * (Field numbers: opentelemetry/proto/trace/v1/trace.proto.)
 */

const CONSUMER = 5;
/** Flags: sampled, and that it is known whether the parent is remote. */
const FLAGS = 0x101;
const MAX_TASKS = 1000;
/** Tag and length of a span. */
const MAX_HEAD_BYTES = 8;
/** More than all that has a fixed size in a span. */
const FIXED_BYTES = 1024;

/** Encodes runs that have nothing but the usual: no failure, no link, nothing set by the application. */
export class RunSpanEncoder {
  #scratch = Buffer.allocUnsafeSlow(4096);
  #at = 0;
  readonly #constant = new Map<TaskKey, Buffer>();
  readonly #qualities = new Map<string, Buffer>();

  /** The element `spans` of a ScopeSpans message, for a run with a trace id and without `extra`. */
  encode(run: RunRecord): Uint8Array {
    const constant = this.#constantOf(run.task);
    const most = constant.length + FIXED_BYTES + 3 * run.jobId.length;
    if (this.#scratch.length < most) this.#scratch = Buffer.allocUnsafeSlow(most);
    const scratch = this.#scratch;
    const start = MAX_HEAD_BYTES;
    scratch[start] = (1 << 3) | 2;
    scratch[start + 1] = 16;
    scratch.write(run.traceId, start + 2, 16, 'hex');
    scratch[start + 18] = (2 << 3) | 2;
    scratch[start + 19] = 8;
    scratch.write(run.spanId, start + 20, 8, 'hex');
    this.#at = start + 28;
    this.#time(7, run.startEpochMs);
    this.#time(8, run.startEpochMs + run.durationMs);
    this.#copy(constant);
    this.#id(run.jobId);
    this.#integer(ATTEMPT, run.attempt);
    if (run.cpuQuality !== 'off') {
      this.#double(CPU, run.cpuMs / 1000);
      this.#double(BLOCK, run.blockMs / 1000);
    }
    if (run.requests >= 0) {
      this.#integer(REQUESTS, run.requests);
      this.#integer(RECEIVED, run.bytesIn);
      this.#integer(TRANSMITTED, run.bytesOut);
    }
    if (run.waitMs !== undefined) this.#double(WAIT, run.waitMs / 1000);
    if (run.payloadBytes !== undefined) this.#integer(PAYLOAD, run.payloadBytes);
    this.#copy(this.#qualityOf(run.cpuQuality));
    return this.#withHead(start, this.#at);
  }

  /** Tag and length stand before what they are about, whose length is known last. */
  #withHead(start: number, end: number): Uint8Array {
    const size = end - start;
    const head = start - 1 - varintLength(size);
    this.#at = head;
    this.#scratch[this.#at++] = (2 << 3) | 2;
    this.#varint(size);
    return Buffer.copyBytesFrom(this.#scratch, head, end - head);
  }

  #copy(bytes: Buffer): void {
    this.#scratch.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #constantOf(task: TaskKey): Buffer {
    let constant = this.#constant.get(task);
    if (constant === undefined) {
      if (this.#constant.size >= MAX_TASKS) this.#constant.clear();
      constant = Buffer.concat([
        text(5, `process ${task.queue}`),
        varintField(6, CONSUMER),
        // Flags are fixed32: wire type 5, and a field number of two bytes.
        Buffer.from([0x85, 0x01, FLAGS & 0xff, FLAGS >> 8, 0, 0]),
        ...keyValues(9, {
          'messaging.system': task.framework,
          'messaging.operation.name': 'process',
          'messaging.operation.type': 'process',
          'messaging.destination.name': task.queue,
          'task.name': task.task,
        }),
      ]);
      this.#constant.set(task, constant);
    }
    return constant;
  }

  #qualityOf(quality: string): Buffer {
    let encoded = this.#qualities.get(quality);
    if (encoded === undefined) {
      encoded = Buffer.concat(keyValues(9, { 'task.cpu.quality': quality }));
      this.#qualities.set(quality, encoded);
    }
    return encoded;
  }

  /** A fixed64 of nanoseconds: more than a double holds, so in two halves of 32 bits. */
  #time(field: number, ms: number): void {
    const whole = Math.floor(ms);
    const nanoseconds = Math.round((ms - whole) * 1e6);
    const high = Math.floor(whole / 65_536) * 1e6;
    const low = (high % 65_536) * 65_536 + (whole % 65_536) * 1e6 + nanoseconds;
    this.#scratch[this.#at] = (field << 3) | 1;
    this.#scratch.writeUInt32LE(low % 2 ** 32, this.#at + 1);
    this.#scratch.writeUInt32LE(Math.floor(high / 65_536) + Math.floor(low / 2 ** 32), this.#at + 5);
    this.#at += 9;
  }

  #id(id: string): void {
    const length = Buffer.byteLength(id);
    const value = length + (length > 127 ? 3 : 2);
    this.#open(ID, value);
    this.#scratch[this.#at++] = (1 << 3) | 2;
    this.#varint(length);
    this.#at += this.#scratch.write(id, this.#at);
  }

  #double(key: Key, value: number): void {
    this.#open(key, 9);
    this.#scratch[this.#at] = (4 << 3) | 1;
    this.#scratch.writeDoubleLE(value, this.#at + 1);
    this.#at += 9;
  }

  #integer(key: Key, value: number): void {
    this.#open(key, 1 + varintLength(value));
    this.#scratch[this.#at++] = 3 << 3;
    this.#varint(value);
  }

  /** Begins the KeyValue of an attribute whose AnyValue has `size` bytes. */
  #open(key: Key, size: number): void {
    this.#scratch[this.#at++] = (9 << 3) | 2;
    this.#varint(key.length + 1 + varintLength(size) + size);
    this.#scratch.set(key, this.#at);
    this.#at += key.length;
    this.#scratch[this.#at++] = (2 << 3) | 2;
    this.#varint(size);
  }

  #varint(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.#scratch[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#scratch[this.#at++] = rest;
  }
}

/** An encoded attribute key. */
type Key = Buffer;
const key = (name: string): Key => text(1, name);
const ID = key('messaging.message.id');
const ATTEMPT = key('task.attempt');
const CPU = key('task.cpu.time');
const BLOCK = key('task.event_loop.block.duration');
const REQUESTS = key('task.network.requests');
const RECEIVED = key('task.network.io.receive');
const TRANSMITTED = key('task.network.io.transmit');
const WAIT = key('task.wait.duration');
const PAYLOAD = key('messaging.message.body.size');

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

/** Puts encoded spans into an ExportTraceServiceRequest. */
export function encodedEnvelope(
  resource: ResourceAttributes,
  scope: { name: string; version: string },
): (spans: readonly Uint8Array[]) => Uint8Array {
  const head = message(1, ...keyValues(1, resource));
  const scopeHead = message(1, text(1, scope.name), text(2, scope.version));
  return (spans) => Buffer.concat(messageParts(1, [head, ...messageParts(2, [scopeHead, ...spans])]));
}
