/** How a task's cost grows with its input. */
export interface PayloadGrowth {
  /** k in cost ~ size^k. */
  readonly exponent: number;
  /** Lower bound of it, one-sided, 99.9 %. */
  readonly lower: number;
  /** Runs that the estimate rests on. */
  readonly runs: number;
}

/** Sizes are told apart by half an octave; the largest bin is of everything beyond 2^40. */
const BINS_PER_OCTAVE = 2;
const BINS = 40 * BINS_PER_OCTAVE;
/** Runs of a bin before its mean counts, and bins before anything is said. */
const MIN_RUNS = 5;
const MIN_BINS = 5;
/** Octaves between the smallest and the largest size that counts. */
const MIN_OCTAVES = 2;
/** Where the sizes that are looked at begin, as a share of those that there are. */
const VIEWS = [0, 1 / 3, 1 / 2, 2 / 3, 3 / 4] as const;
/** Newest runs of a bin that count. */
const RUNS_KEPT = 32;
/** Sizes seen after which those so far count half. */
const HALVE_AT = 20_000;
const MIN_HISTORY = 100;
const OUTLIER_FACTOR = 4;

/** The newest runs of a bin, log2 of size and cost; a ring. */
interface Bin {
  readonly sizes: number[];
  readonly costs: number[];
  next: number;
}

interface Point {
  /** log2 of the size, and of the cost. */
  readonly x: number;
  readonly y: number;
  /** Variance of y as the runs of the bin scatter. */
  readonly variance: number;
}

/**
 * The payloads of one task and what they cost, in bounded memory. The exponent is the slope of log cost against log size: of all
 * sizes, or of the larger ones alone where that shows more, as a fixed cost hides the growth of small ones. Any of these slopes is too
 * low rather than too high then.
 */
export class PayloadHistory {
  readonly #sizes = new Float64Array(BINS);
  #seen = 0;
  readonly #bins = new Map<number, Bin>();
  #runs = 0;

  /**
   * Takes the size of the next run's payload.
   * @returns whether it is an outlier: more than four times the 99th percentile of what came before
   */
  size(bytes: number): boolean {
    const bin = binOf(bytes);
    const isOutlier = this.#seen >= MIN_HISTORY && bytes > OUTLIER_FACTOR * this.#quantile(0.99);
    this.#sizes[bin]!++;
    if (++this.#seen >= HALVE_AT) {
      for (let i = 0; i < BINS; i++) this.#sizes[i]! /= 2;
      this.#seen /= 2;
    }
    return isOutlier;
  }

  /** Takes what a run with a payload of `bytes` cost; costs of 0 and less tell nothing. */
  cost(bytes: number, cost: number): void {
    if (!(cost > 0) || !(bytes > 0)) return;
    const index = binOf(bytes);
    let bin = this.#bins.get(index);
    if (bin === undefined) {
      bin = { sizes: [], costs: [], next: 0 };
      this.#bins.set(index, bin);
    }
    bin.sizes[bin.next] = Math.log2(bytes);
    bin.costs[bin.next] = Math.log2(cost);
    bin.next = (bin.next + 1) % RUNS_KEPT;
    this.#runs++;
  }

  /** Undefined while there are too few sizes, or runs of them. */
  growth(): PayloadGrowth | undefined {
    const points = [...this.#bins]
      .filter(([, bin]) => bin.costs.length >= MIN_RUNS)
      .sort(([a], [b]) => a - b)
      .map(([, bin]) => pointOf(bin));
    const fits = VIEWS.map((from) => fit(points.slice(Math.floor(from * points.length)))).filter(
      (each) => each !== undefined,
    );
    const best = fits.sort((a, b) => b.lower - a.lower)[0];
    return best && { ...best, runs: this.#runs };
  }

  /** Upper bound of the bin in which the quantile falls, bytes. */
  #quantile(q: number): number {
    let rest = q * this.#seen;
    let bin = 0;
    while (bin < BINS - 1 && rest > this.#sizes[bin]!) rest -= this.#sizes[bin++]!;
    return 2 ** ((bin + 1) / BINS_PER_OCTAVE);
  }
}

function binOf(bytes: number): number {
  return Math.min(BINS - 1, Math.max(0, Math.floor(Math.log2(bytes) * BINS_PER_OCTAVE)));
}

/** Medians: a run that was interrupted, or ran before its code was compiled, costs many times as much as its like. */
function pointOf({ sizes, costs }: Bin): Point {
  const y = median(costs);
  const deviation = 1.4826 * median(costs.map((cost) => Math.abs(cost - y)));
  return { x: median(sizes), y, variance: ((Math.PI / 2) * deviation ** 2) / costs.length };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * Least squares over the medians of the bins. How far they lie off the line tells the error, also where the growth is no power; where
 * they lie closer than their runs scatter, that is taken.
 */
function fit(points: readonly Point[]): { exponent: number; lower: number } | undefined {
  const n = points.length;
  if (n < MIN_BINS || points.at(-1)!.x - points[0]!.x < MIN_OCTAVES) return undefined;
  const mean = (read: (point: Point) => number): number =>
    points.reduce((sum, each) => sum + read(each), 0) / n;
  const meanX = mean(({ x }) => x);
  const meanY = mean(({ y }) => y);
  const squares = n * mean(({ x }) => (x - meanX) ** 2);
  const exponent = (n * mean(({ x, y }) => (x - meanX) * (y - meanY))) / squares;
  const offLine = (n * mean(({ x, y }) => (y - meanY - exponent * (x - meanX)) ** 2)) / (n - 2);
  const variance = Math.max(
    offLine,
    mean((point) => point.variance),
  );
  return { exponent, lower: exponent - tQuantile(n - 2) * Math.sqrt(variance / squares) };
}

const Z = 3.0902;

/** The 99.9 % quantile of Student's t with three degrees of freedom or more, within 3 % (Cornish and Fisher 1938). */
function tQuantile(degrees: number): number {
  const z2 = Z * Z;
  const g1 = (Z * (z2 + 1)) / 4;
  const g2 = (Z * (5 * z2 * z2 + 16 * z2 + 3)) / 96;
  const g3 = (Z * (3 * z2 ** 3 + 19 * z2 ** 2 + 17 * z2 - 15)) / 384;
  const g4 = (Z * (79 * z2 ** 4 + 776 * z2 ** 3 + 1482 * z2 ** 2 - 1920 * z2 - 945)) / 92_160;
  return Z + g1 / degrees + g2 / degrees ** 2 + g3 / degrees ** 3 + g4 / degrees ** 4;
}
