import type { GrowthOptions } from './growth.ts';

/** What can be left behind: `heap`, `external` (array buffers, and what native code tells V8 of), `rss` (the rest of the process) and `descriptors`. */
export type LeakKind = 'heap' | 'external' | 'rss' | 'descriptors';

const MIB = 1024 * 1024;
/** Fewer samples than the default: each is paired exactly with the runs that ended before it. */
const EXACT: GrowthOptions = { minSamples: 8, minGrowthBytes: 2 * MIB, cacheBytes: 32 * MIB };

/** From when on growth of each kind is suspected, and taken as certain. */
export const LEAK_LIMITS: Readonly<Record<LeakKind, GrowthOptions>> = {
  heap: EXACT,
  external: EXACT,
  // The process grows and shrinks for reasons of its own: fragments, stacks, caches of libraries.
  rss: { minSamples: 16, minGrowthBytes: 16 * MIB, cacheBytes: 64 * MIB },
  // In descriptors: pools that fill are smaller.
  descriptors: { minGrowthBytes: 20, cacheBytes: 64 },
};
