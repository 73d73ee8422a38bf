import type { RunReference } from '../model/alert.ts';
import type { Labels } from '../model/labels.ts';
import type { Inspect } from './asynq/instance-reader.ts';
import type { QueueSystem } from './system.ts';
import type { QueueWrites } from './writes.ts';

export interface SystemOptions {
  /** Reads what the machine knows of asynq's worker processes. */
  readonly inspect?: Inspect | undefined;
}

/** A system, and what it knows of the tasks that an alert speaks of. */
export interface LoadedSystem extends QueueSystem {
  runsFor?(labels: Labels): RunReference[];
  /** What may be done to its tasks and queues; absent where that is up to its workers. */
  readonly writes?: QueueWrites;
}

/** Every queue system on Redis; each is loaded when it is watched. */
const SYSTEMS: Readonly<Record<string, (options: SystemOptions) => Promise<LoadedSystem>>> = {
  bullmq: async () => (await import('./bullmq.ts')).bullmq,
  bull: async () => (await import('./bull.ts')).bull,
  'bee-queue': async () => (await import('./bee-queue.ts')).beeQueue,
  'node-resque': async () => (await import('./resque.ts')).resque,
  asynq: async (options) => (await import('./asynq/asynq.ts')).createAsynq(options),
};

export const SYSTEM_NAMES: readonly string[] = Object.keys(SYSTEMS);

/** @param name as `messaging.system` has it; undefined when nothing is known of it */
export async function loadSystem(
  name: string,
  options: SystemOptions = {},
): Promise<LoadedSystem | undefined> {
  return SYSTEMS[name]?.(options);
}
