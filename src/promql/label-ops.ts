import { keyOf, type Labels, labelsKey } from '../model/labels.ts';
import { quote } from './errors.ts';

/**
 * Label sets derived from others. Series keep their label object for life, so whatever is derived from one is kept in a
 * WeakMap under it, and a steady set of series costs no string work from the second evaluation on.
 */

export { keyOf };

const nameless = new WeakMap<Labels, Labels>();

export function dropName(labels: Labels): Labels {
  if (labels.__name__ === undefined) return labels;
  let dropped = nameless.get(labels);
  if (dropped === undefined) {
    dropped = omit(labels, new Set(['__name__']));
    nameless.set(labels, dropped);
  }
  return dropped;
}

export function pick(labels: Labels, names: Iterable<string>): Labels {
  const pairs = [...names].map((name) => [name, own(labels, name)] as const);
  return Object.fromEntries(pairs.filter(([, value]) => value !== ''));
}

export function omit(labels: Labels, names: ReadonlySet<string>): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => !names.has(name)));
}

/** Labels with one label set, or removed when the value is ''. */
export function withLabel(labels: Labels, name: string, value: string): Labels {
  return value === '' ? omit(labels, new Set([name])) : { ...labels, [name]: value };
}

/** The value of a label, '' where there is none. */
export function own(labels: Labels, name: string): string {
  return Object.hasOwn(labels, name) ? labels[name]! : '';
}

/**
 * Derives something from the label sets of a vector, and gives the same again for as long as the same series come in the same
 * order, which is what most vectors do from one evaluation to the next.
 */
export class Steady<T> {
  readonly #derive: (labels: readonly Labels[]) => T;
  #labels: readonly Labels[] = [];
  #derived: T | undefined;

  constructor(derive: (labels: readonly Labels[]) => T) {
    this.#derive = derive;
  }

  of(samples: readonly { readonly labels: Labels }[]): T {
    if (this.#derived === undefined || !this.#same(samples)) {
      this.#derived = undefined;
      this.#labels = samples.map(({ labels }) => labels);
      this.#derived = this.#derive(this.#labels);
    }
    return this.#derived;
  }

  #same(samples: readonly { readonly labels: Labels }[]): boolean {
    const known = this.#labels;
    if (samples.length !== known.length) return false;
    for (let at = 0; at < known.length; at++) if (samples[at]!.labels !== known[at]) return false;
    return true;
  }
}

/** {@link Steady} for what is derived from the label sets of two vectors. */
export class SteadyPair<T> {
  readonly #derive: (left: readonly Labels[], right: readonly Labels[]) => T;
  // Each gives a new array when its vector has changed.
  readonly #left = new Steady((labels) => labels);
  readonly #right = new Steady((labels) => labels);
  #derived: { readonly of: readonly [unknown, unknown]; readonly value: T } | undefined;

  constructor(derive: (left: readonly Labels[], right: readonly Labels[]) => T) {
    this.#derive = derive;
  }

  of(
    leftSamples: readonly { readonly labels: Labels }[],
    rightSamples: readonly { readonly labels: Labels }[],
  ): T {
    const left = this.#left.of(leftSamples);
    const right = this.#right.of(rightSamples);
    const known = this.#derived;
    if (known !== undefined && known.of[0] === left && known.of[1] === right) return known.value;
    this.#derived = undefined;
    const value = this.#derive(left, right);
    this.#derived = { of: [left, right], value };
    return value;
  }
}

/** Which group each sample of a vector is in, by its place in `groups`, which are in the order of their first samples. */
export interface Layout {
  readonly groups: readonly Labels[];
  readonly groupOf: readonly number[];
}

/** Label sets that one grouping remembers; when there are more, it starts anew with the next vector. */
const GROUPING_LIMIT = 10_000;

/**
 * Sorts label sets into groups: `by`/`on` keep the named labels, `without`/`ignoring` drop them and the metric name. The
 * group is known by its label object, the same object for the same group.
 */
export class Grouping {
  readonly #names: ReadonlySet<string>;
  readonly #drop: boolean;
  #byLabels = new WeakMap<Labels, Labels>();
  #byKey = new Map<string, Labels>();
  readonly #layout = new Steady((labels) => this.#arrange(labels));

  constructor(names: readonly string[], drop: boolean) {
    this.#names = new Set(drop ? [...names, '__name__'] : names);
    this.#drop = drop;
  }

  layout(samples: readonly { readonly labels: Labels }[]): Layout {
    return this.#layout.of(samples);
  }

  #arrange(all: readonly Labels[]): Layout {
    this.tidy();
    const places = new Map<Labels, number>();
    const groupOf = all.map((labels) => {
      const group = this.of(labels);
      const place = places.get(group) ?? places.size;
      places.set(group, place);
      return place;
    });
    return { groups: [...places.keys()], groupOf };
  }

  of(labels: Labels): Labels {
    const known = this.#byLabels.get(labels);
    if (known !== undefined) return known;
    const derived = this.#drop ? omit(labels, this.#names) : pick(labels, this.#names);
    const key = labelsKey(derived);
    let group = this.#byKey.get(key);
    if (group === undefined) {
      group = derived;
      this.#byKey.set(key, group);
    }
    this.#byLabels.set(labels, group);
    return group;
  }

  /** To be called before vectors are grouped, never between those whose groups are to be compared. */
  tidy(): void {
    if (this.#byKey.size < GROUPING_LIMIT) return;
    // A cleared map alone would give a second object for a group in use.
    this.#byKey = new Map();
    this.#byLabels = new WeakMap();
  }
}

/** A label set as Prometheus prints it in messages: `{__name__="name", a="b"}`. */
export function formatLabels(labels: Labels): string {
  const pairs = Object.keys(labels)
    .sort()
    .map((label) => `${label}=${quote(labels[label]!)}`);
  return `{${pairs.join(', ')}}`;
}
