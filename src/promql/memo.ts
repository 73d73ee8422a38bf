import type { Sample } from '../model/queryable.ts';

interface Result {
  /** Write after which it was computed. */
  readonly written: number;
  readonly samples: Sample[];
}

/**
 * What expressions that are evaluated for the same moment share: the results of their equal parts, each for as long as
 * nothing was written to the metrics that it is of. Only what was asked for twice at some moment is kept at the next
 * ones, as most parts are of one expression alone. To be used with one queryable, one dialect and the same options, and
 * cleared when the moment is over, or else it holds the last results.
 */
export class Memo {
  #t = Number.NaN;
  readonly #results = new Map<string, Result>();
  readonly #asked = new Set<string>();
  readonly #shared = new Set<string>();

  /** The samples of the part `key` at `t`; `written` grows with every write to what it is of. */
  of(key: string, t: number, written: number, compute: () => Sample[]): Sample[] {
    if (t !== this.#t) {
      this.clear();
      this.#t = t;
    }
    const known = this.#results.get(key);
    if (known !== undefined && known.written === written) return known.samples;
    const samples = compute();
    if (this.#shared.has(key)) this.#results.set(key, { written, samples });
    else if (this.#asked.has(key)) this.#share(key);
    else this.#asked.add(key);
    return samples;
  }

  clear(): void {
    this.#results.clear();
    this.#asked.clear();
  }

  #share(key: string): void {
    // Rules may have been loaded anew, and what they shared with them.
    if (this.#shared.size >= MAX_SHARED) this.#shared.clear();
    this.#shared.add(key);
  }
}

const MAX_SHARED = 10_000;
