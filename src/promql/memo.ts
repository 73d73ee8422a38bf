import type { Sample } from '../model/queryable.ts';

interface Result {
  /** Write after which it was computed. */
  readonly written: number;
  readonly samples: Sample[];
}

/**
 * What expressions that are evaluated for the same moment share: the results of their equal parts, each for as long as
 * nothing was written to the metrics that it is of. To be used with one queryable, one dialect and the same options, and
 * cleared when the moment is over, or else it holds the last results.
 */
export class Memo {
  #t = Number.NaN;
  readonly #results = new Map<string, Result>();

  /** The samples of the part `key` at `t`; `written` grows with every write to what it is of. */
  of(key: string, t: number, written: number, compute: () => Sample[]): Sample[] {
    if (t !== this.#t) {
      this.#results.clear();
      this.#t = t;
    }
    const known = this.#results.get(key);
    if (known !== undefined && known.written === written) return known.samples;
    const samples = compute();
    this.#results.set(key, { written, samples });
    return samples;
  }

  clear(): void {
    this.#results.clear();
  }
}
