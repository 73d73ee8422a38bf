import { runStorage } from '../context.ts';

const SLOT = Symbol.for('taskwarden.slot');

/**
 * Lets the agent ask, by an interrupt of the running JavaScript, which run the thread is busy with: the answer is the slot of the
 * run whose async context is current, -1 outside of runs. Needed where no meter keeps track of it.
 */
export function exposeSlot(): () => void {
  const globals = globalThis as { [SLOT]?: () => number };
  globals[SLOT] = () => runStorage.getStore()?.slot ?? -1;
  return () => {
    delete globals[SLOT];
  };
}
