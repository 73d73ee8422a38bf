import v8 from 'node:v8';
import { isMainThread, resourceLimits } from 'node:worker_threads';

const MIB = 1024 * 1024;

/**
 * By major version of Node.js, measured: the greatest semi-space, MiB. Where the size of the heap is given it is at most that divided by
 * `share`, rounded up to a power of two; 1 MiB for a heap of `small` MiB or less.
 */
const SEMI_SPACES: Readonly<
  Record<number, { readonly most: number; readonly share: number; readonly small: number }>
> = {
  22: { most: 16, share: 131, small: 256 },
  24: { most: 64, share: 35, small: 256 },
  26: { most: 32, share: 32, small: 0 },
};

/**
 * Bytes at which V8 gives up on this thread's heap. `heap_size_limit` is the old generation's limit plus the greatest young
 * generation: three semi-spaces, whose size is a power of two.
 *
 * @param options command-line options of the process, NODE_OPTIONS included
 */
export function oldSpaceLimit(options: readonly string[]): number {
  const given = isMainThread ? megabytes('max-old-space-size', options) : undefined;
  if (given !== undefined) return given * MIB;
  return v8.getHeapStatistics().heap_size_limit - 3 * semiSpace(options) * MIB;
}

/** The greatest semi-space, MiB. */
function semiSpace(options: readonly string[]): number {
  // The limit of the old generation that stands beside it does not know of options.
  const { maxYoungGenerationSizeMb } = resourceLimits;
  if (!isMainThread && maxYoungGenerationSizeMb !== undefined)
    return powerOfTwo(maxYoungGenerationSizeMb / 3);
  const given = megabytes('max-semi-space-size', options);
  if (given !== undefined) return powerOfTwo(given);
  const major = Number(process.versions.node.split('.')[0]);
  const { most, share, small } = SEMI_SPACES[major] ?? SEMI_SPACES[26]!;
  const heap = megabytes('max-heap-size', options);
  if (heap === undefined) return most;
  return heap <= small ? 1 : Math.min(most, powerOfTwo(heap / share));
}

/** The value of an option of V8's; undefined where it is not set. Of several the last one counts. */
function megabytes(name: string, options: readonly string[]): number | undefined {
  const pattern = new RegExp(`--${name.replaceAll('-', '[-_]')}[= ](\\d+)`, 'g');
  const value = Number([...options.join(' ').matchAll(pattern)].at(-1)?.[1] ?? 0);
  return value === 0 ? undefined : value;
}

function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, atLeast)));
}
