import type { MetricName } from '../model/metrics.ts';

/** A Redis command and its arguments. */
export type Command = readonly [name: string, ...args: (string | number)[]];

/** What Redis answered to one command: bulk strings come as Buffers, so that binary values survive; an error as itself. */
export type Reply = Buffer | number | null | Error | readonly Reply[];

/** One value of a metric. What is unknown is left out: it is never 0. */
export interface Reading {
  readonly metric: MetricName;
  /**
   * Beside those that the watcher adds: `messaging.system` and `redis.instance` on all (with `queue.prefix`, where it is not the
   * system's own), and `messaging.destination.name` on those of a queue.
   */
  readonly attributes: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * A poll as a conversation: it yields commands that go to Redis in one pipeline, is given their replies in the same order, and returns
 * what it learnt. The watcher advances many conversations at once, a pipeline for each round of them all; so the conversation itself is
 * pure, and its commands can be counted.
 *
 * A reply may be an Error (WRONGTYPE, NOPERM, …) or missing: what it would have told is unknown then, and left out. The watcher sees the
 * replies too and makes the status of the queue of them, so that a conversation need not. The commands of one queue have keys of one
 * slot, as far as its library sees to that.
 */
export type Poll<Learnt> = Generator<readonly Command[], Learnt, readonly Reply[]>;

/** A queue of a Redis. */
export interface QueueRef {
  readonly prefix: string;
  readonly name: string;
}

/** Reads one queue again and again, and may remember what it learnt: not everything needs to be asked at every poll. */
export interface QueueReader {
  /**
   * At most 10 commands, each O(1) or O(log n).
   *
   * @param nowMs the clock of Redis, ms since the Unix epoch
   * @returns the readings of this poll that are known; what was returned before and is not now, is unknown now. No readings at all,
   * without an error among the replies: the queue does not exist.
   */
  poll(nowMs: number): Poll<readonly Reading[]>;
}

/** Reads what belongs to no single queue: servers, workers, schedulers. */
export interface InstanceReader {
  /** @param nowMs the clock of Redis, ms since the Unix epoch */
  poll(nowMs: number): Poll<readonly InstanceReading[]>;
}

/** A reading that may belong to a queue; the watcher adds attributes likewise. */
export interface InstanceReading extends Reading {
  readonly queue?: QueueRef;
}

/** Finds the queues of a Redis in bounded steps: a large store is not gone through at once. */
export interface Discovery {
  step(): Poll<DiscoveryStep>;
}

export interface DiscoveryStep {
  readonly found: readonly QueueRef[];
  /** Whether the store has been gone through once since the step before the first, or the last complete one. */
  readonly complete: boolean;
}

/** One library's layout in Redis. It keeps no state: readers do. */
export interface QueueSystem {
  /** What `messaging.system` says. */
  readonly name: string;
  /** The prefix that the library has by default. */
  readonly prefix: string;
  discovery(prefix: string): Discovery;
  reader(queue: QueueRef): QueueReader;
  /** @param redis as `redis.instance` says */
  instance?(prefix: string, redis?: string): InstanceReader;
}
