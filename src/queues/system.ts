import type { MetricName } from '../model/metrics.ts';

/** A Redis command and its arguments. */
export type Command = readonly [name: string, ...args: (string | number)[]];

/** What Redis answered to one command: bulk strings come as Buffers, so that binary values survive; an error as itself. */
export type Reply = Buffer | number | null | Error | readonly Reply[];

/** One value of a metric. What is unknown is left out: it is never 0. */
export interface Reading {
  readonly metric: MetricName;
  readonly attributes: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * A poll as a conversation: it yields commands that go to Redis in one pipeline, is given their replies in the same order, and returns
 * what it learnt. The watcher advances many conversations at once, a pipeline for each round of them all; so the conversation itself is
 * pure, and its commands can be counted.
 */
export type Poll<Learnt> = Generator<readonly Command[], Learnt, readonly Reply[]>;
