import { type Labels, labelValue } from '../model/labels.ts';
import type { Matcher } from '../model/queryable.ts';
import type { Column, Family } from './column.ts';

/** Finds series by matchers. The answer for an array of matchers is remembered until the series it is about change. */
export class SeriesIndex {
  readonly #all: Family = { columns: new Set(), version: 0, written: 0 };
  readonly #byName = new Map<string, Family>();
  readonly #found = new WeakMap<readonly Matcher[], { family: Family; version: number; columns: Column[] }>();

  /** The series of the name that `labels` have; {@link add} is to follow. */
  family(labels: Labels): Family {
    const name = labelValue(labels, '__name__');
    let family = this.#byName.get(name);
    if (family === undefined) {
      family = { columns: new Set(), version: 0, written: 0 };
      this.#byName.set(name, family);
    }
    return family;
  }

  add(column: Column): void {
    for (const each of [column.family, this.#all]) {
      each.columns.add(column);
      each.version++;
    }
  }

  remove(column: Column): void {
    for (const each of [column.family, this.#all]) {
      each.columns.delete(column);
      each.version++;
    }
    if (column.family.columns.size === 0) this.#byName.delete(labelValue(column.labels, '__name__'));
  }

  /** Notes that a series was written to. */
  wrote({ family }: Column): void {
    family.written = ++this.#all.written;
  }

  /** Number of the last write to the series of a name, or to any. */
  lastWrite(name: string | undefined): number {
    return name === undefined ? this.#all.written : (this.#byName.get(name)?.written ?? 0);
  }

  select(matchers: readonly Matcher[]): readonly Column[] {
    const name = matchers.find((matcher) => matcher.name === '__name__' && matcher.type === '=')?.value;
    const family = name === undefined ? this.#all : this.#byName.get(name);
    if (family === undefined) return [];
    const found = this.#found.get(matchers);
    if (found?.family === family && found.version === family.version) return found.columns;
    const columns = [...family.columns].filter(({ labels }) =>
      matchers.every((matcher) => matcher.matches(labelValue(labels, matcher.name))),
    );
    this.#found.set(matchers, { family, version: family.version, columns });
    return columns;
  }
}
