import v8 from 'node:v8';
import { isMainThread, resourceLimits } from 'node:worker_threads';

const MIB = 1024 * 1024;

/** What heap_size_limit holds for the young generation by default, by major version of Node.js; measured. */
const YOUNG_MIB: Readonly<Record<number, number>> = { 22: 48, 24: 192, 26: 96 };

/**
 * Bytes at which V8 gives up on this thread's heap. `heap_size_limit` is the old generation's limit plus the greatest young
 * generation: three semi-spaces.
 *
 * @param options command-line options of the process, NODE_OPTIONS included
 */
export function oldSpaceLimit(options: readonly string[]): number {
  const limit = v8.getHeapStatistics().heap_size_limit;
  return limit - youngMib(options) * MIB;
}

function youngMib(options: readonly string[]): number {
  // Of three semi-spaces, whose size is a power of two. (The limit of the old generation that stands beside it does not know of options.)
  const { maxYoungGenerationSizeMb } = resourceLimits;
  if (!isMainThread && maxYoungGenerationSizeMb !== undefined)
    return 3 * 2 ** Math.ceil(Math.log2(maxYoungGenerationSizeMb / 3));
  const semiSpace = /--max[-_]semi[-_]space[-_]size[= ](\d+)/.exec(options.join(' '));
  if (semiSpace !== null) return 3 * Number(semiSpace[1]);
  const major = Number(process.versions.node.split('.')[0]);
  return YOUNG_MIB[major] ?? YOUNG_MIB[26]!;
}
