import type { ActiveRun, Inbox } from '../../bridge/inbox.ts';
import type { Config } from '../../config/config.ts';
import type { Registry } from '../../store/registry.ts';
import type { MainThread } from '../blocks/main-thread.ts';
import { Exhaustion } from './exhaustion.ts';
import { KernelMemory } from './kernel-memory.ts';

const MIB = 1024 * 1024;

/** The limits of this process's memory. @param inbox of the main thread */
export function openExhaustion(
  config: Config,
  inbox: Inbox,
  main: MainThread,
  registry: Registry,
  { active, onMark }: { readonly active: () => ActiveRun[]; readonly onMark: () => void },
): Exhaustion {
  const rssLimit = config.memory.rssLimit * MIB;
  return new Exhaustion({ inbox, main, kernel: new KernelMemory(), registry, rssLimit, active, onMark });
}
