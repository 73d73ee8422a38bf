import type { QueueSystem } from './system.ts';

/** Every queue system on Redis; each is loaded when it is watched. */
const SYSTEMS: Readonly<Record<string, () => Promise<QueueSystem>>> = {
  bullmq: async () => (await import('./bullmq.ts')).bullmq,
  bull: async () => (await import('./bull.ts')).bull,
  'bee-queue': async () => (await import('./bee-queue.ts')).beeQueue,
  asynq: async () => (await import('./asynq/asynq.ts')).createAsynq(),
  'node-resque': async () => (await import('./resque.ts')).resque,
};

export const SYSTEM_NAMES: readonly string[] = Object.keys(SYSTEMS);

/** @param name as `messaging.system` has it; undefined when nothing is known of it */
export async function loadSystem(name: string): Promise<QueueSystem | undefined> {
  return SYSTEMS[name]?.();
}
