import type v8 from 'node:v8';
import { threadMs } from '../model/clock.ts';
import { getHeapSpaceStatistics, getHeapStatistics } from '../model/native.ts';
import { F64, MAX_SPACES, type Shared } from './protocol.ts';

/** Spaces that are no part of the old generation, whose limit it is that V8 aborts at. */
const NOT_OLD: ReadonlySet<string> = new Set(['read_only_space', 'new_space', 'new_large_object_space']);
/** By what the agent has a thread write its figures while its loop is blocked: code that it has the inspector run can reach globals alone. */
const GLOBAL = Symbol.for('taskwarden.heap');

/** Code that has the thread write its figures; does nothing in one that is not watched. */
export const WRITE_HEAP_FIGURES = `globalThis[Symbol.for('taskwarden.heap')]?.()`;

/** Writes what V8 says of this thread's heap. About 20 µs. */
export function writeHeapFigures({ f64 }: Shared): void {
  const heap = getHeapStatistics();
  f64[F64.usedHeap] = heap.used_heap_size;
  f64[F64.heapReadAt] = threadMs();
  f64[F64.external] = heap.external_memory;
  const spaces = getHeapSpaceStatistics();
  for (let i = 0; i < Math.min(spaces.length, MAX_SPACES); i++) {
    const at = F64.spaces + 3 * i;
    f64[at] = spaces[i]!.space_size;
    f64[at + 1] = spaces[i]!.space_available_size;
    f64[at + 2] = spaces[i]!.physical_space_size;
  }
  f64[F64.oldUsed] = oldUsed(spaces);
}

/** Bytes in use in the old generation. */
export function oldUsed(spaces: readonly v8.HeapSpaceInfo[] = getHeapSpaceStatistics()): number {
  let sum = 0;
  for (const { space_name, space_used_size } of spaces) if (!NOT_OLD.has(space_name)) sum += space_used_size;
  return sum;
}

/** Lets {@link WRITE_HEAP_FIGURES} work in this thread. @returns what ends it */
export function exposeHeapFigures(shared: Shared): () => void {
  const write = (): void => writeHeapFigures(shared);
  Object.defineProperty(globalThis, GLOBAL, { value: write, configurable: true });
  return () => void Reflect.deleteProperty(globalThis, GLOBAL);
}
