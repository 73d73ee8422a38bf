import { crc32 } from 'node:zlib';
import { EVENTS } from '../../bridge/event-file.ts';
import { SLOT, SLOT_COUNT } from '../../bridge/protocol.ts';
import {
  END_KINDS,
  F64,
  FORMAT,
  HEAD,
  I32,
  type Identity,
  MAGIC,
  MAX_FILE_BYTES,
  REGION_BYTES,
  type RecordedRun,
  type Recording,
  RUN,
  U32,
} from './layout.ts';

const UNKNOWN = ['unknown', 'unknown', 'unknown'] as const;

/** The younger whole recording of a file; undefined where there is none, which is so of a file of another make too. */
export function readRecording(file: Buffer): Recording | undefined {
  const [one, other] = [readRegion(file.subarray(0, REGION_BYTES)), readRegion(file.subarray(REGION_BYTES))];
  const younger = one === undefined || (other !== undefined && other.sequence > one.sequence) ? other : one;
  if (younger === undefined) return undefined;
  const origin = orphanOrigin(file) ?? younger.origin;
  return Number.isNaN(origin) ? younger.recording : withEvents(file, { ...younger, origin });
}

/** Where the main thread went on without an agent: ms since the Unix epoch at the origin of its times. */
function orphanOrigin(file: Buffer): number | undefined {
  if (file.length < MAX_FILE_BYTES) return undefined;
  const origin = file.readDoubleLE(EVENTS.originAt);
  return origin > 0 ? origin : undefined;
}

interface Region {
  readonly sequence: number;
  readonly recording: Recording;
  /** Of each run, see {@link RunToRecord}. */
  readonly places: readonly { readonly slot: number; readonly generation: number }[];
  readonly origin: number;
}

/** The runs of the main thread are those that it has written itself; their usage is in the recording, as far as they are. */
function withEvents(file: Buffer, { recording, places, origin }: Region): Recording {
  const events = file.subarray(EVENTS.at);
  const current = (slot: number): number =>
    slot * EVENTS.stride + SLOT.bytes <= events.length ? events.readInt32LE(slot * EVENTS.stride) : 0;
  const runs = recording.runs.filter(
    (_, i) => places[i]!.slot < 0 || places[i]!.generation === current(places[i]!.slot),
  );
  const recorded = new Set(places.map(({ slot, generation }) => `${slot} ${generation}`));
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    const generation = current(slot);
    if ((generation & 1) === 0 || recorded.has(`${slot} ${generation}`)) continue;
    runs.push(readEvent(file, slot, origin));
  }
  const held = recording.holder === undefined ? undefined : recording.runs[recording.holder];
  const holder = held === undefined ? -1 : runs.indexOf(held);
  return { ...recording, runs, holder: holder < 0 ? undefined : holder };
}

function readEvent(file: Buffer, slot: number, origin: number): RecordedRun {
  const at = EVENTS.at + slot * EVENTS.stride;
  const traceAt = at + SLOT.trace;
  const trace = file.toString('latin1', traceAt, traceAt + file.readInt32LE(at + SLOT.traceLength));
  return {
    task: readName(file, file.readInt32LE(at + SLOT.task)),
    jobId: file.toString('utf8', at + SLOT.id, at + SLOT.id + file.readInt32LE(at + SLOT.idLength)),
    attempt: file.readInt32LE(at + SLOT.attempt),
    startedAt: origin + file.readDoubleLE(at + SLOT.start),
    traceId: trace.slice(0, 32),
    spanId: trace.slice(32),
    cpuMs: file.readDoubleLE(at + SLOT.cpuMs),
    requests: file.readInt32LE(at + SLOT.requests),
    bytesIn: file.readDoubleLE(at + SLOT.bytesIn),
    bytesOut: file.readDoubleLE(at + SLOT.bytesOut),
  };
}

function readName(file: Buffer, id: number): RecordedRun['task'] {
  const at = EVENTS.namesAt + id * EVENTS.nameStride;
  const text =
    id < EVENTS.maxNames ? file.toString('utf8', at, at + EVENTS.nameStride).split('\n', 1)[0]! : '';
  const [framework, queue, task] = text.startsWith('[')
    ? (JSON.parse(text) as [string, string, string])
    : UNKNOWN;
  return { framework, queue, task };
}

function readRegion(bytes: Buffer): Region | undefined {
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
  const { runs, places } = readRuns({ region, i32, f64 }, runsAt, u32[U32.runs]!, names);
  return {
    places,
    origin: f64[F64.origin]!,
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
      runs,
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
): { runs: RecordedRun[]; places: { slot: number; generation: number }[] } {
  const runs: RecordedRun[] = [];
  const places: { slot: number; generation: number }[] = [];
  let at = from;
  for (let i = 0; i < count; i++) {
    const [word, double, textAt] = [at >> 2, at >> 3, at + RUN.bytes];
    const idAt = textAt + i32[word + (RUN.traceLength >> 2)]!;
    const end = idAt + i32[word + (RUN.idLength >> 2)]!;
    const trace = region.toString('latin1', textAt, idAt);
    const [framework, queue, task] = names[i32[word + (RUN.task >> 2)]!] ?? UNKNOWN;
    places.push({
      slot: i32[word + (RUN.slot >> 2)]!,
      generation: i32[word + (RUN.generation >> 2)]!,
    });
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
  return { runs, places };
}
