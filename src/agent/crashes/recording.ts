import { crc32 } from 'node:zlib';
import type { TaskKey } from '../../bridge/protocol.ts';
import {
  END_KINDS,
  type End,
  F64,
  FORMAT,
  HEAD,
  I32,
  type Identity,
  MAGIC,
  MAX_RUNS,
  REGION_BYTES,
  type Resources,
  RUN,
  U32,
} from './layout.ts';

/** Bytes that the names of tasks may take, as JSON. */
const MAX_NAMES_BYTES = 1 << 17;
const MAX_NAME = 200;

export interface Closing {
  readonly resources: Resources;
  readonly holder: number | undefined;
  readonly end: End | undefined;
  readonly stopSignal: number;
  /** Where the main thread writes its runs itself: what its performance.now() counts from, ms since the Unix epoch. Otherwise NaN. */
  readonly origin: number;
}

/** A run as the recorder finds it: its ids are copied as bytes. */
export interface RunToRecord {
  readonly task: TaskKey;
  readonly startedAt: number;
  readonly attempt: number;
  readonly cpuMs: number;
  readonly requests: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** From `traceAt` in `from` trace and span id (48 hex digits), or nothing; from `idAt` the job's id. */
  readonly from: Uint8Array;
  readonly traceAt: number;
  readonly traceLength: number;
  readonly idAt: number;
  readonly idLength: number;
  /** Its place in the main thread's table; -1 for a run of another thread. */
  readonly slot: number;
  readonly generation: number;
}

/** Writes recordings into one buffer, again and again. */
export class RecordingWriter {
  readonly #identity: Buffer;
  #names = new Map<TaskKey, number>();
  #texts: string[] = [];
  #namesBytes = 0;
  #buffer = Buffer.alloc(0);
  #i32 = new Int32Array(0);
  #f64 = new Float64Array(0);
  #runsBytes = 0;
  #lastAt = 0;
  #runs = 0;
  #more = 0;
  #sequence: number;

  /** @param sequence number of the last recording in the file */
  constructor(identity: Identity, sequence = 0) {
    this.#sequence = sequence;
    this.#identity = padded(JSON.stringify(identity));
    this.#grow(1 << 14);
  }

  /** Runs of the recording under way. */
  get runs(): number {
    return this.#runs;
  }

  begin(): void {
    if (this.#namesBytes > MAX_NAMES_BYTES) {
      this.#names = new Map();
      this.#texts = [];
      this.#namesBytes = 0;
    }
    this.#runsBytes = 0;
    this.#runs = 0;
    this.#more = 0;
  }

  /** Index of the run in the recording, -1 where there is no room for it. */
  add(run: RunToRecord): number {
    if (this.#runs >= MAX_RUNS) {
      this.#more++;
      return -1;
    }
    const size = RUN.bytes + ((run.traceLength + run.idLength + 7) & ~7);
    this.#grow(this.#runsBytes + size);
    const at = this.#runsBytes;
    this.#lastAt = at;
    const [i32, f64] = [this.#i32, this.#f64];
    f64[(at + RUN.start) >> 3] = run.startedAt;
    f64[(at + RUN.cpuMs) >> 3] = run.cpuMs;
    f64[(at + RUN.bytesIn) >> 3] = run.bytesIn;
    f64[(at + RUN.bytesOut) >> 3] = run.bytesOut;
    i32[(at + RUN.task) >> 2] = this.#name(run.task);
    i32[(at + RUN.attempt) >> 2] = run.attempt;
    i32[(at + RUN.requests) >> 2] = run.requests;
    i32[(at + RUN.traceLength) >> 2] = run.traceLength;
    i32[(at + RUN.idLength) >> 2] = run.idLength;
    i32[(at + RUN.slot) >> 2] = run.slot;
    i32[(at + RUN.generation) >> 2] = run.generation;
    const text = at + RUN.bytes;
    this.#buffer.set(run.from.subarray(run.traceAt, run.traceAt + run.traceLength), text);
    this.#buffer.set(run.from.subarray(run.idAt, run.idAt + run.idLength), text + run.traceLength);
    this.#runsBytes += size;
    return this.#runs++;
  }

  /** Takes the run back that was added last, where `add` gave `index`: it ended while it was read. */
  takeBack(index: number): void {
    if (index < 0) this.#more--;
    else {
      this.#runsBytes = this.#lastAt;
      this.#runs--;
    }
  }

  /** The parts of the region, to be written one after the other at `at`, a byte offset of the file. */
  finish({ resources, holder, end, stopSignal, origin }: Closing): {
    readonly parts: readonly Buffer[];
    readonly at: number;
  } {
    const names = padded(`[${this.#texts.join(',')}]`);
    const runs = this.#buffer.subarray(0, this.#runsBytes);
    const head = Buffer.alloc(HEAD.bytes);
    const u32 = new Uint32Array(head.buffer, head.byteOffset, HEAD.bytes / 4);
    const i32 = new Int32Array(head.buffer, head.byteOffset, HEAD.bytes / 4);
    const f64 = new Float64Array(head.buffer, head.byteOffset, HEAD.bytes / 8);
    this.#sequence++;
    u32[U32.magic] = MAGIC;
    u32[U32.format] = FORMAT;
    u32[U32.sequence] = this.#sequence;
    u32[U32.length] = HEAD.bytes + this.#identity.length + names.length + runs.length;
    u32[U32.identityLength] = this.#identity.length;
    u32[U32.namesLength] = names.length;
    u32[U32.runs] = this.#runs;
    for (const name of ['at', 'rss', 'heapUsed', 'heapLimit', 'cpuMs', 'oomKills'] as const)
      f64[F64[name]] = resources[name];
    f64[F64.origin] = origin;
    i32[I32.endKind] = end === undefined ? 0 : 1 + END_KINDS.indexOf(end.kind);
    i32[I32.endCode] = end?.code ?? 0;
    i32[I32.stopSignal] = stopSignal;
    i32[I32.holder] = holder ?? -1;
    i32[I32.more] = this.#more;
    u32[U32.crc] = checksum([head.subarray(HEAD.checked), this.#identity, names, runs]);
    return { parts: [head, this.#identity, names, runs], at: (this.#sequence & 1) * REGION_BYTES };
  }

  /** Number of a task in the names; -1 once they are too many. */
  #name(task: TaskKey): number {
    const known = this.#names.get(task);
    if (known !== undefined) return known;
    if (this.#namesBytes > MAX_NAMES_BYTES) return -1;
    const text = JSON.stringify(
      [task.framework, task.queue, task.task].map((part) => part.slice(0, MAX_NAME)),
    );
    this.#names.set(task, this.#texts.push(text) - 1);
    this.#namesBytes += Buffer.byteLength(text) + 1;
    return this.#texts.length - 1;
  }

  #grow(bytes: number): void {
    if (bytes <= this.#buffer.length) return;
    const larger = Buffer.from(new ArrayBuffer(Math.max(bytes, 2 * this.#buffer.length)));
    larger.set(this.#buffer);
    this.#buffer = larger;
    this.#i32 = new Int32Array(larger.buffer, 0, larger.length >> 2);
    this.#f64 = new Float64Array(larger.buffer, 0, larger.length >> 3);
  }
}

function checksum(parts: readonly Buffer[]): number {
  return parts.reduce((crc, part) => crc32(part, crc), 0);
}

/** JSON in UTF-8, filled up with spaces to a multiple of 8 bytes. */
function padded(json: string): Buffer {
  return Buffer.from(json.padEnd(json.length + ((8 - (Buffer.byteLength(json) & 7)) & 7)));
}
