import { EVENTS } from '../../bridge/event-file.ts';
import { LAYOUT_VERSION, type TaskKey } from '../../bridge/protocol.ts';

/**
 * The file of a flight recorder: two regions written in turn, of which the younger whole one counts, since a process that is killed
 * may stop in the middle of a write. A region is
 *
 *     head (128 bytes) | identity (JSON) | names of tasks (JSON) | runs in flight
 *
 * Numbers are in the machine's byte order: a file is read on the host that wrote it.
 */
export const MAGIC = 0x54574652;
/** With the layout of the table, which the main thread writes as it is. */
export const FORMAT: number = (1 << 8) | LAYOUT_VERSION;

/** Bytes from one region to the other, and so the most that a region may have. The file is sparse. */
export const REGION_BYTES: number = EVENTS.at / 2;
/** The most that a file may have, with what the main thread writes into it. */
export const MAX_FILE_BYTES: number = EVENTS.originAt + Float64Array.BYTES_PER_ELEMENT;
/** Runs that one recording holds; further ones are counted. */
export const MAX_RUNS = 1024;

export const HEAD = { bytes: 128, checked: 16 } as const;
export const U32 = {
  magic: 0,
  format: 1,
  length: 2,
  crc: 3,
  sequence: 4,
  identityLength: 5,
  namesLength: 6,
  runs: 7,
} as const;
export const F64 = { at: 4, rss: 5, heapUsed: 6, heapLimit: 7, cpuMs: 8, oomKills: 9, origin: 14 } as const;
export const I32 = { endKind: 20, endCode: 21, stopSignal: 22, holder: 23, more: 24 } as const;
export const RUN = {
  start: 0,
  cpuMs: 8,
  bytesIn: 16,
  bytesOut: 24,
  task: 32,
  attempt: 36,
  requests: 40,
  traceLength: 44,
  idLength: 48,
  slot: 52,
  generation: 56,
  bytes: 64,
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
