import type { Poll, QueueRef } from './system.ts';

/** A task that a server has in its hands. */
export interface TaskInFlight {
  readonly prefix: string;
  readonly queue: string;
  readonly id: string;
  /** By the clock of its server, ms since the Unix epoch. */
  readonly startedMs: number | undefined;
}

/**
 * What came of a write. `gone`: what it was about is there no more. `already`: somebody else has done it, which stays as it is.
 * `unheard`: no server listens.
 */
export interface Written {
  readonly outcome: 'done' | 'gone' | 'already' | 'unheard' | 'failed';
  /** What Redis said, where it failed. */
  readonly message?: string;
}

/** A pause, which ends by itself unless it is kept. */
export interface Pause extends Written {
  /** What tells it from the pauses of others. */
  readonly mark?: string;
}

/**
 * What an action may do to a library's tasks and queues: all that a watcher ever writes beside its lease. They are conversations as polls are, but
 * for the primary.
 */
export interface QueueWrites {
  /**
   * Asks the server of a task to cancel it, once, whoever asks.
   *
   * @param isCounted whether Redis can tell how many listen, as a cluster cannot
   */
  cancel(task: TaskInFlight, isCounted: boolean): Poll<Written>;
  /** No task of the queue is begun; those in flight go on. Takes over a pause that a watcher has made. @param nowMs since the Unix epoch */
  pause(queue: QueueRef, nowMs: number, ttlMs: number): Poll<Pause>;
  /** Has our pause last for another while; `gone` where there is another pause or none. */
  keep(queue: QueueRef, mark: string, ttlMs: number): Poll<Written>;
  /** Ends our pause; `already` where there is another one. */
  resume(queue: QueueRef, mark: string): Poll<Written>;
}

/** Why nothing was written: another agent leads, or nobody can as Redis takes no lease from us. */
export type NotLed = 'standby' | 'no_lease';
