import { type Labels, labelsKey } from '../model/labels.ts';
import { omit, pick } from './label-ops.ts';
import { Steady } from './steady.ts';

/** Label sets that one kind of grouping remembers; when there are more, it starts anew with the next vector. */
const GROUPS_LIMIT = 10_000;

/** The groups that label sets fall into, for everybody who groups by the same names. */
class Groups {
  readonly #names: ReadonlySet<string>;
  readonly #drop: boolean;
  #byLabels = new WeakMap<Labels, Labels>();
  #byKey = new Map<string, Labels>();

  constructor(names: readonly string[], drop: boolean) {
    this.#names = new Set(drop ? [...names, '__name__'] : names);
    this.#drop = drop;
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

  tidy(): void {
    if (this.#byKey.size < GROUPS_LIMIT) return;
    // A cleared map alone would give a second object for a group in use.
    this.#byKey = new Map();
    this.#byLabels = new WeakMap();
  }
}

/** By kind of grouping, for as long as an expression uses it. */
const kinds = new Map<string, WeakRef<Groups>>();
/** Kinds after which those that nobody uses any more are looked for. */
let lookAt = 100;

function groupsOf(names: readonly string[], drop: boolean): Groups {
  const kind = JSON.stringify([drop, names]);
  let groups = kinds.get(kind)?.deref();
  if (groups !== undefined) return groups;
  if (kinds.size >= lookAt) {
    for (const [each, ref] of kinds) if (ref.deref() === undefined) kinds.delete(each);
    lookAt = Math.max(100, 2 * kinds.size);
  }
  groups = new Groups(names, drop);
  kinds.set(kind, new WeakRef(groups));
  return groups;
}

/** Which group each sample of a vector is in, by its place in `groups`, which are in the order of their first samples. */
export interface Layout {
  readonly groups: readonly Labels[];
  readonly groupOf: readonly number[];
}

/**
 * Sorts label sets into groups: `by`/`on` keep the named labels, `without`/`ignoring` drop them and the metric name. The
 * group is known by its label object, the same object for the same group.
 */
export class Grouping {
  readonly #groups: Groups;
  readonly #layout = new Steady((labels) => this.#arrange(labels));

  constructor(names: readonly string[], drop: boolean) {
    this.#groups = groupsOf(names, drop);
  }

  /** To be called before vectors are grouped, never between those whose groups are to be compared. */
  tidy(): void {
    this.#groups.tidy();
  }

  of(labels: Labels): Labels {
    return this.#groups.of(labels);
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
}
