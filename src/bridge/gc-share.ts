import v8 from 'node:v8';
import { threadMs } from '../model/clock.ts';
import { setImmediate } from '../model/native.ts';

/** By what the agent asks a thread whose loop is blocked: code that it has the inspector run can reach globals alone. */
const GLOBAL = Symbol.for('taskwarden.gc');

/** Code that gives what {@link exposeGcShare} says; undefined in a thread that is not watched. */
export const READ_GC_SHARE = `globalThis[Symbol.for('taskwarden.gc')]?.()`;

/**
 * Lets {@link READ_GC_SHARE} work in this thread: the share of the time since it was asked before, within the same turn of the event
 * loop, that collections of garbage took; undefined when it is asked first. Observers of performance entries hear of collections
 * when the loop turns again; a profiler of V8 tells at once, and is on from the first question until then.
 *
 * @returns what ends it
 */
export function exposeGcShare(): () => void {
  let profiler: v8.GCProfiler | undefined;
  let since = 0;
  const begin = (): void => {
    profiler = new v8.GCProfiler();
    profiler.start();
    since = threadMs();
  };
  const end = (): void => {
    profiler?.stop();
    profiler = undefined;
  };
  const read = (): number | undefined => {
    const isFirst = profiler === undefined;
    // Costs are in µs.
    const costs = profiler?.stop()?.statistics.map(({ cost }) => cost) ?? [];
    const share = costs.reduce((sum, cost) => sum + cost / 1000, 0) / (threadMs() - since);
    begin();
    if (!isFirst) return share;
    setImmediate(end);
    return undefined;
  };
  Object.defineProperty(globalThis, GLOBAL, { value: read, configurable: true });
  return () => {
    end();
    Reflect.deleteProperty(globalThis, GLOBAL);
  };
}
