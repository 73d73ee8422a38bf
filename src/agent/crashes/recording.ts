import { crc32 } from 'node:zlib';
import type { TaskKey } from '../../bridge/protocol.ts';

/**
 * The file of a flight recorder: two regions written in turn, of which the younger whole one counts, since a process that is killed
 * may stop in the middle of a write. A region is
 *
 *     head (128 bytes) | identity (JSON) | names of tasks (JSON) | runs in flight
 *
 * Numbers are in the machine's byte order: a file is read on the host that wrote it.
 */
const MAGIC = 0x54574652;
const FORMAT = 1;

/** Bytes from one region to the other, and so the most that a region may have. The file is sparse. */
export const REGION_BYTES = 1 << 19;
/** Runs that one recording holds; further ones are counted. */
export const MAX_RUNS = 1024;
/** Bytes that the names of tasks may take, as JSON. */
const MAX_NAMES_BYTES = 1 << 17;
const MAX_NAME = 200;
const UNKNOWN = ['unknown', 'unknown', 'unknown'] as const;

const HEAD = { bytes: 128, checked: 16 } as const;
const U32 = {
  magic: 0,
  format: 1,
  length: 2,
  crc: 3,
  sequence: 4,
  identityLength: 5,
  namesLength: 6,
  runs: 7,
} as const;
const F64 = { at: 4, rss: 5, heapUsed: 6, heapLimit: 7, cpuMs: 8, oomKills: 9 } as const;
const I32 = { endKind: 20, endCode: 21, stopSignal: 22, holder: 23, more: 24 } as const;
const RUN = {
  start: 0,
  cpuMs: 8,
  bytesIn: 16,
  bytesOut: 24,
  task: 32,
  attempt: 36,
  requests: 40,
  traceLength: 44,
  idLength: 48,
  bytes: 56,
} as const;

/** Who is recorded. */
export interface Identity {
  readonly host: string;
  /** Of the machine's start; '' where the system does not tell. */
  readonly boot: string;
  /** Within which the pid means something; '' where the system does not tell. */
  readonly pidNamespace: string;
  readonly pid: number;
  /** Ticks from the machine's start to the process's; 0 where the system does not tell. */
  readonly start: number;
  /** ms since the Unix epoch. */
  readonly startedAt: number;
  readonly service: string;
  /** Folder of its control group for memory; '' where there is none. */
  readonly group: string;
  /** `PID-START` of the `taskwarden run` that watches the process; '' without one. */
  readonly supervisor: string;
}

/** How a process ended, as far as it could say so itself. `code` is an exit code or the number of a signal. */
export interface End {
  readonly kind: 'exit' | 'exception' | 'signal';
  readonly code: number;
}
export const END_KINDS = ['exit', 'exception', 'signal'] as const satisfies readonly End['kind'][];

/** The process as a whole: bytes, ms of CPU time, ms since the Unix epoch. Figures that are not known are NaN. */
export interface Resources {
  readonly at: number;
  readonly rss: number;
  readonly heapUsed: number;
  readonly heapLimit: number;
  readonly cpuMs: number;
  /** Kills that the kernel made in the process's control group for want of memory, since the group is there. */
  readonly oomKills: number;
}

export interface RecordedRun {
  readonly task: TaskKey;
  readonly jobId: string;
  readonly attempt: number;
  /** ms since the Unix epoch. */
  readonly startedAt: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly cpuMs: number;
  readonly requests: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface Recording {
  readonly identity: Identity;
  readonly resources: Resources;
  readonly runs: readonly RecordedRun[];
  /** Runs in flight for which there was no room. */
  readonly more: number;
  /** The run that held the main thread, as an index into `runs`; undefined where that is not known. */
  readonly holder: number | undefined;
  readonly end: End | undefined;
  /** Number of the signal by which the process had been told to stop; 0 for none. */
  readonly stopSignal: number;
}

export interface Closing {
  readonly resources: Resources;
  readonly holder: number | undefined;
  readonly end: End | undefined;
  readonly stopSignal: number;
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
  #sequence = 0;

  constructor(identity: Identity) {
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
  finish({ resources, holder, end, stopSignal }: Closing): {
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

/** The younger whole recording of a file; undefined where there is none, which is so of a file of another make too. */
export function readRecording(file: Buffer): Recording | undefined {
  const [one, other] = [readRegion(file.subarray(0, REGION_BYTES)), readRegion(file.subarray(REGION_BYTES))];
  if (one === undefined || other === undefined) return (one ?? other)?.recording;
  return (one.sequence > other.sequence ? one : other).recording;
}

function readRegion(bytes: Buffer): { readonly sequence: number; readonly recording: Recording } | undefined {
  if (bytes.length < HEAD.bytes) return undefined;
  // A copy, as typed arrays want their place aligned.
  const region = Buffer.from(new Uint8Array(bytes).buffer);
  const u32 = new Uint32Array(region.buffer, 0, region.length >> 2);
  const length = u32[U32.length]!;
  if (u32[U32.magic] !== MAGIC || u32[U32.format] !== FORMAT || length > region.length || length < HEAD.bytes)
    return undefined;
  if (crc32(region.subarray(HEAD.checked, length)) !== u32[U32.crc]) return undefined;
  const namesAt = HEAD.bytes + u32[U32.identityLength]!;
  const runsAt = namesAt + u32[U32.namesLength]!;
  const i32 = new Int32Array(region.buffer, 0, region.length >> 2);
  const f64 = new Float64Array(region.buffer, 0, region.length >> 3);
  const names = JSON.parse(region.toString('utf8', namesAt, runsAt)) as [string, string, string][];
  const holder = i32[I32.holder]!;
  const kind = END_KINDS[i32[I32.endKind]! - 1];
  return {
    sequence: u32[U32.sequence]!,
    recording: {
      identity: JSON.parse(region.toString('utf8', HEAD.bytes, namesAt)) as Identity,
      resources: {
        at: f64[F64.at]!,
        rss: f64[F64.rss]!,
        heapUsed: f64[F64.heapUsed]!,
        heapLimit: f64[F64.heapLimit]!,
        cpuMs: f64[F64.cpuMs]!,
        oomKills: f64[F64.oomKills]!,
      },
      runs: readRuns({ region, i32, f64 }, runsAt, u32[U32.runs]!, names),
      more: i32[I32.more]!,
      holder: holder < 0 ? undefined : holder,
      end: kind === undefined ? undefined : { kind, code: i32[I32.endCode]! },
      stopSignal: i32[I32.stopSignal]!,
    },
  };
}

interface Views {
  readonly region: Buffer;
  readonly i32: Int32Array;
  readonly f64: Float64Array;
}

function readRuns(
  { region, i32, f64 }: Views,
  from: number,
  count: number,
  names: readonly (readonly [string, string, string])[],
): RecordedRun[] {
  const runs: RecordedRun[] = [];
  let at = from;
  for (let i = 0; i < count; i++) {
    const [word, double, textAt] = [at >> 2, at >> 3, at + RUN.bytes];
    const idAt = textAt + i32[word + (RUN.traceLength >> 2)]!;
    const end = idAt + i32[word + (RUN.idLength >> 2)]!;
    const trace = region.toString('latin1', textAt, idAt);
    const [framework, queue, task] = names[i32[word + (RUN.task >> 2)]!] ?? UNKNOWN;
    runs.push({
      task: { framework, queue, task },
      jobId: region.toString('utf8', idAt, end),
      attempt: i32[word + (RUN.attempt >> 2)]!,
      startedAt: f64[double + (RUN.start >> 3)]!,
      traceId: trace.slice(0, 32),
      spanId: trace.slice(32),
      cpuMs: f64[double + (RUN.cpuMs >> 3)]!,
      requests: i32[word + (RUN.requests >> 2)]!,
      bytesIn: f64[double + (RUN.bytesIn >> 3)]!,
      bytesOut: f64[double + (RUN.bytesOut >> 3)]!,
    });
    at = textAt + ((end - textAt + 7) & ~7);
  }
  return runs;
}

function checksum(parts: readonly Buffer[]): number {
  return parts.reduce((crc, part) => crc32(part, crc), 0);
}

/** JSON in UTF-8, filled up with spaces to a multiple of 8 bytes. */
function padded(json: string): Buffer {
  return Buffer.from(json.padEnd(json.length + ((8 - (Buffer.byteLength(json) & 7)) & 7)));
}
