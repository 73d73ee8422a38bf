import type { GrowthOptions } from './growth.ts';

/** What can be left behind: `heap`, `external` (array buffers, and what native code tells V8 of), `rss` (the rest of the process) and `descriptors`. */
export type LeakKind = 'heap' | 'external' | 'rss' | 'descriptors';

const MIB = 1024 * 1024;
/** What caches of a worker fill, unless it is configured (`memory.cache`), MiB. */
const CACHE_MIB = 32;

/** From when on growth of each kind is suspected, and taken as certain. @param cacheMib what caches of the worker may fill */
export function leakLimits(kind: LeakKind, cacheMib: number = CACHE_MIB): GrowthOptions {
  const cacheBytes = cacheMib * MIB;
  // In descriptors: pools that fill are smaller.
  if (kind === 'descriptors') return { minGrowth: 20, cacheBytes: 64 };
  // The process grows and shrinks for reasons of its own: fragments, stacks, caches of libraries.
  if (kind === 'rss') return { minSamples: 16, minGrowth: 16 * MIB, cacheBytes: 2 * cacheBytes };
  // Fewer samples than the default: each is paired exactly with the runs that ended before it.
  return { minSamples: 8, minGrowth: 2 * MIB, cacheBytes };
}
