import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/queryable.ts';
import type { Column } from './column.ts';

/** Series of one metric name. `version` changes with the set, so that what was selected from it can be remembered. */
interface Bucket {
  readonly columns: Set<Column>;
  version: number;
}

/** Finds series by matchers. The answer for an array of matchers is remembered until the series it is about change. */
export class SeriesIndex {
  readonly #all: Bucket = { columns: new Set(), version: 0 };
  readonly #byName = new Map<string, Bucket>();
  readonly #found = new WeakMap<readonly Matcher[], { bucket: Bucket; version: number; columns: Column[] }>();

  add(column: Column): void {
    const name = own(column.labels, '__name__');
    let bucket = this.#byName.get(name);
    if (bucket === undefined) {
      bucket = { columns: new Set(), version: 0 };
      this.#byName.set(name, bucket);
    }
    for (const each of [bucket, this.#all]) {
      each.columns.add(column);
      each.version++;
    }
  }

  remove(column: Column): void {
    const name = own(column.labels, '__name__');
    const bucket = this.#byName.get(name);
    if (bucket === undefined) return;
    for (const each of [bucket, this.#all]) {
      each.columns.delete(column);
      each.version++;
    }
    if (bucket.columns.size === 0) this.#byName.delete(name);
  }

  select(matchers: readonly Matcher[]): readonly Column[] {
    const name = matchers.find((matcher) => matcher.name === '__name__' && matcher.type === '=')?.value;
    const bucket = name === undefined ? this.#all : this.#byName.get(name);
    if (bucket === undefined) return [];
    const found = this.#found.get(matchers);
    if (found?.bucket === bucket && found.version === bucket.version) return found.columns;
    const columns = [...bucket.columns].filter(({ labels }) =>
      matchers.every((matcher) => matcher.matches(own(labels, matcher.name))),
    );
    this.#found.set(matchers, { bucket, version: bucket.version, columns });
    return columns;
  }
}

/** The value of a label, '' where there is none. */
function own(labels: Labels, name: string): string {
  return Object.hasOwn(labels, name) ? labels[name]! : '';
}
