import type { CpuQuality, DuplicateType } from '../bridge/protocol.ts';

/** What a handler may read of its own run. */
export interface CurrentRun {
  readonly queue: string;
  readonly task: string;
  readonly jobId: string;
  readonly attempt: number;
  /** CPU time so far in ms; what it is worth says `cpuQuality`. */
  readonly cpuMs: number;
  readonly cpuQuality: CpuQuality;
  /** Requests started so far, and those of them that a server, or the way to it, has failed. */
  readonly requests: number;
  readonly failedRequests: number;
  /** Bytes so far, on connections that are the run's own at the time. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Size of the payload as `task.payload.size` has it; undefined where unknown. */
  readonly payloadBytes: number | undefined;
  /** Sockets, timers, servers, child processes and threads that it has opened and that are open now. */
  readonly openHandles: number;
  /** Set where the same job runs in this process already, or has succeeded in it before. */
  readonly duplicate: DuplicateType | undefined;
  /** Aborted when a rule asks for the action `abort-run` and the configuration allows it. */
  readonly signal: AbortSignal;
}
