import type { RunReference } from '../../model/alert.ts';
import type { Labels } from '../../model/labels.ts';
import { scanned, text } from '../reply.ts';
import type { Discovery, DiscoveryStep, Poll, QueueRef, QueueSystem } from '../system.ts';
import type { QueueWrites } from '../writes.ts';
import { writes } from './actions.ts';
import { AsynqInstanceReader, type Inspect } from './instance-reader.ts';
import { AsynqQueueReader } from './queue-reader.ts';
import { TypeNames } from './type-names.ts';

export interface AsynqOptions {
  readonly inspect?: Inspect | undefined;
}

export interface AsynqSystem extends QueueSystem {
  instance(prefix: string, redis?: string): AsynqInstanceReader;
  readonly writes: QueueWrites;
  /** Tasks in flight, or lost with their server, that an alert with these labels speaks of. */
  runsFor(labels: Labels): RunReference[];
}

/** hibiken/asynq, 0.18 to 0.26. */
export function createAsynq({ inspect }: AsynqOptions = {}): AsynqSystem {
  const instances: AsynqInstanceReader[] = [];
  return {
    name: 'asynq',
    prefix: 'asynq',
    discovery: (prefix) => new QueueScan(prefix),
    reader: (queue) => new AsynqQueueReader(queue),
    instance(prefix, redis) {
      const reader = new AsynqInstanceReader({ prefix, redis, names: new TypeNames(), inspect: inspect?.() });
      instances.push(reader);
      return reader;
    },
    writes,
    runsFor: (labels) => instances.flatMap((reader) => reader.runsFor(labels)),
  };
}

/** Names a step finds. */
const SCAN_COUNT = 1000;

/** asynq keeps the names of all queues that ever had a task, in a set. */
class QueueScan implements Discovery {
  readonly #prefix: string;
  #cursor = '0';

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  *step(): Poll<DiscoveryStep> {
    const [reply] = yield [['SSCAN', `${this.#prefix}:queues`, this.#cursor, 'COUNT', SCAN_COUNT]];
    const step = scanned(reply);
    if (step === undefined) return { found: [], complete: false };
    this.#cursor = step.cursor;
    const found = step.found.flatMap((member): QueueRef[] => {
      const name = text(member);
      return name === undefined ? [] : [{ prefix: this.#prefix, name }];
    });
    return { found, complete: step.cursor === '0' };
  }
}
