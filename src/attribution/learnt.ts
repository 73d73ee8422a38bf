/** Bins of an octave: what a quantile gives is at most 9 % above the true one. */
const BINS_PER_OCTAVE = 8;
/** From 2^-7 ms (8 µs) to 2^30 ms (12 days); what lies beyond counts as the nearest. */
const LOWEST = -7;
const BINS = 37 * BINS_PER_OCTAVE;
/** Values after which those so far count half, so that the past fades. */
const HALVE_AT = 20_000;

/** The distribution of one task's durations, in 1.2 KB whatever their number. */
export class LearntDurations {
  readonly #bins = new Float32Array(BINS);
  #weight = 0;
  #seen = 0;

  /** Values taken so far. */
  get seen(): number {
    return this.#seen;
  }

  /** @param ms of a run that has ended */
  add(ms: number): void {
    this.#bins[binOf(ms)]!++;
    this.#seen++;
    if (++this.#weight < HALVE_AT) return;
    for (let bin = 0; bin < BINS; bin++) this.#bins[bin]! /= 2;
    this.#weight /= 2;
  }

  /** Upper bound of the bin that the quantile falls into, ms: never too low; undefined without values. @param q 0 to 1 */
  quantile(q: number): number | undefined {
    if (this.#weight === 0) return undefined;
    let rest = q * this.#weight;
    let bin = 0;
    while (bin < BINS - 1 && rest > this.#bins[bin]!) rest -= this.#bins[bin++]!;
    return 2 ** (LOWEST + (bin + 1) / BINS_PER_OCTAVE);
  }
}

function binOf(ms: number): number {
  const bin = ms > 0 ? Math.floor((Math.log2(ms) - LOWEST) * BINS_PER_OCTAVE) : 0;
  return Math.min(BINS - 1, Math.max(0, bin));
}
