import type { RunRecord } from '../bridge/inbox.ts';
import type { TaskKey } from '../bridge/protocol.ts';
import type { ResourceAttributes } from './resource.ts';
import { keyValues, message, messageHead, text, varintField } from './wire.ts';

/**
 * Spans of runs straight to OTLP protobuf. A worker at full speed ends thousands of runs a second, each a span of the same shape: what
 * is the same for a task is encoded once, the rest is written into place. The general serializer takes five times as long.
 * (Field numbers: opentelemetry/proto/trace/v1/trace.proto.)
 */

const CONSUMER = 5;
/** Flags: sampled, and that it is known whether the parent is remote. */
const FLAGS = 0x101;
const MAX_TASKS = 1000;
/** Tag and length of a message below 4 GiB. */
const MAX_HEAD_BYTES = 6;
/** Tag and length of a span of 128 to 16,383 bytes. */
const USUAL_HEAD_BYTES = 3;
/** More than all that has a fixed size in a span. */
const FIXED_BYTES = 1024;

/** Encodes runs that have nothing but the usual: no failure, no link, nothing set by the application. */
export class RunSpanEncoder {
  #into: Buffer = Buffer.alloc(0);
  #at = 0;
  readonly #constant = new Map<TaskKey, Buffer>();
  readonly #qualities = new Map<string, Buffer>();

  /** Bytes that the span of a run may take at most. */
  most(run: RunRecord): number {
    return this.#constantOf(run.task).length + FIXED_BYTES + 3 * run.jobId.length;
  }

  /**
   * Writes the element `spans` of a ScopeSpans message, for a run with a trace id and without `extra`.
   *
   * @param into has room for {@link most} bytes from `at` on
   * @returns where the element ends
   */
  write(run: RunRecord, into: Buffer, at: number): number {
    this.#into = into;
    const start = at + USUAL_HEAD_BYTES;
    into[start] = (1 << 3) | 2;
    into[start + 1] = 16;
    into.write(run.traceId, start + 2, 16, 'hex');
    into[start + 18] = (2 << 3) | 2;
    into[start + 19] = 8;
    into.write(run.spanId, start + 20, 8, 'hex');
    this.#at = start + 28;
    this.#time(7, run.startEpochMs);
    this.#time(8, run.startEpochMs + run.durationMs);
    this.#copy(this.#constantOf(run.task));
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
    return this.#withHead(at, start, this.#at - start);
  }

  /** Tag and length stand before what they are about, whose length is known last. */
  #withHead(at: number, start: number, size: number): number {
    const moved = at + 1 + varintLength(size);
    if (moved !== start) this.#into.copyWithin(moved, start, start + size);
    this.#into[at] = (2 << 3) | 2;
    this.#at = at + 1;
    this.#varint(size);
    return moved + size;
  }

  #copy(bytes: Buffer): void {
    this.#into.set(bytes, this.#at);
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
    this.#into[this.#at] = (field << 3) | 1;
    this.#into.writeUInt32LE(low % 2 ** 32, this.#at + 1);
    this.#into.writeUInt32LE(Math.floor(high / 65_536) + Math.floor(low / 2 ** 32), this.#at + 5);
    this.#at += 9;
  }

  #id(id: string): void {
    const length = Buffer.byteLength(id);
    const value = length + (length > 127 ? 3 : 2);
    this.#open(ID, value);
    this.#into[this.#at++] = (1 << 3) | 2;
    this.#varint(length);
    this.#at += this.#into.write(id, this.#at);
  }

  #double(key: Key, value: number): void {
    this.#open(key, 9);
    this.#into[this.#at] = (4 << 3) | 1;
    this.#into.writeDoubleLE(value, this.#at + 1);
    this.#at += 9;
  }

  #integer(key: Key, value: number): void {
    this.#open(key, 1 + varintLength(value));
    this.#into[this.#at++] = 3 << 3;
    this.#varint(value);
  }

  /** Begins the KeyValue of an attribute whose AnyValue has `size` bytes. */
  #open(key: Key, size: number): void {
    this.#into[this.#at++] = (9 << 3) | 2;
    this.#varint(key.length + 1 + varintLength(size) + size);
    this.#into.set(key, this.#at);
    this.#at += key.length;
    this.#into[this.#at++] = (2 << 3) | 2;
    this.#varint(size);
  }

  #varint(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.#into[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#into[this.#at++] = rest;
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

/** What stands around encoded spans in an ExportTraceServiceRequest: the heads of ResourceSpans and ScopeSpans. */
export class SpanEnvelope {
  readonly #resource: Buffer;
  readonly #scope: Buffer;
  /** Bytes that both heads take at most. */
  readonly most: number;

  constructor(resource: ResourceAttributes, scope: { name: string; version: string }) {
    this.#resource = message(1, ...keyValues(1, resource));
    this.#scope = message(1, text(1, scope.name), text(2, scope.version));
    this.most = this.#resource.length + this.#scope.length + 2 * MAX_HEAD_BYTES;
  }

  /** Writes the heads right before spans of `size` bytes that begin at `at`. @returns where the request begins */
  write(into: Buffer, at: number, size: number): number {
    const scope = messageHead(2, this.#scope.length + size);
    const resource = messageHead(1, this.#resource.length + scope.length + this.#scope.length + size);
    let start = at;
    for (const part of [this.#scope, scope, this.#resource, resource]) {
      start -= part.length;
      into.set(part, start);
    }
    return start;
  }
}
