import { type Labels, labelValue } from '../model/labels.ts';
import type { Sample } from '../model/queryable.ts';
import type { BinaryNode, VectorMatching } from './ast.ts';
import { type Dialect, dropsName } from './dialect.ts';
import { evaluationError } from './errors.ts';
import { Grouping } from './grouping.ts';
import { dropName, formatLabels, keyOf, omit, pick, withLabel } from './label-ops.ts';
import type { VectorPlan } from './plan.ts';
import { SteadyPair } from './steady.ts';

/** What a binary operator makes of two numbers; undefined where a comparison filters the sample out. */
export type Combine = (left: number, right: number) => number | undefined;

/** Two vectors, sample by sample, one-to-one or with one side that may repeat (source: Prometheus, VectorBinop). */
export function planMatching(
  node: BinaryNode,
  operate: Combine,
  left: VectorPlan,
  right: VectorPlan,
  dialect: Dialect,
): VectorPlan {
  const { matching } = node;
  const swapped = matching.card === 'one-to-many';
  const side = swapped ? 'left' : 'right';
  const grouping = new Grouping(matching.labels, !matching.on);
  const result = new ResultLabels(node, dropsName(node, dialect));
  const matches = new SteadyPair((many: readonly Labels[], one: readonly Labels[]): Matches => {
    grouping.tidy();
    const index = indexOneSide(one, grouping, side);
    const taken = new Taken(matching);
    let collision: string | undefined;
    const found: Match[] = [];
    for (const [sample, own] of many.entries()) {
      const group = grouping.of(own);
      const partner = index.get(group);
      if (partner === undefined) continue;
      const labels = result.of(own, one[partner]!);
      collision ??= taken.add(group, labels);
      found.push({ sample, partner, group, labels });
    }
    if (collision !== undefined && dialect.filteredMatchesCollide) throw evaluationError(collision);
    return { found, collide: collision !== undefined };
  });
  return (context, t) => {
    const leftSamples = left(context, t);
    const rightSamples = right(context, t);
    const [many, one] = swapped ? [rightSamples, leftSamples] : [leftSamples, rightSamples];
    if (many.length === 0 || one.length === 0) return [];
    const { found, collide } = matches.of(many, one);
    // Whether those that a comparison leaves collide, too, differs from time to time.
    const taken = collide ? new Taken(matching) : undefined;
    const samples: Sample[] = [];
    for (const { sample, partner, group, labels } of found) {
      const own = many[sample]!.value;
      const other = one[partner]!.value;
      const value = swapped ? operate(other, own) : operate(own, other);
      if (value === undefined) continue;
      const collision = taken?.add(group, labels);
      if (collision !== undefined) throw evaluationError(collision);
      samples.push({ labels, value });
    }
    return samples;
  };
}

/** A sample of the side that may repeat and the one that it belongs to, by their places, and what they make. */
interface Match {
  readonly sample: number;
  readonly partner: number;
  readonly group: Labels;
  readonly labels: Labels;
}

interface Matches {
  readonly found: readonly Match[];
  /** Whether some of them could not be told apart. */
  readonly collide: boolean;
}

function indexOneSide(one: readonly Labels[], grouping: Grouping, side: string): Map<Labels, number> {
  const index = new Map<Labels, number>();
  for (const [at, labels] of one.entries()) {
    const group = grouping.of(labels);
    const other = index.get(group);
    if (other !== undefined) {
      const both = [formatLabels(labels), formatLabels(one[other]!)].sort().join(', ');
      throw evaluationError(
        `found duplicate series for the match group ${formatLabels(group)} on the ${side} hand-side of the operation: ` +
          `[${both}];many-to-many matching not allowed: matching labels must be unique on one side`,
      );
    }
    index.set(group, at);
  }
  return index;
}

/** Finds a second result that cannot be told from the first. */
class Taken {
  readonly #oneToOne: boolean;
  readonly #groups = new Set<Labels>();
  readonly #results = new Map<Labels, Set<string>>();

  constructor({ card }: VectorMatching) {
    this.#oneToOne = card === 'one-to-one';
  }

  /** @returns what is wrong with another result, if anything */
  add(group: Labels, labels: Labels): string | undefined {
    if (this.#oneToOne) {
      if (this.#groups.has(group))
        return 'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)';
      this.#groups.add(group);
      return undefined;
    }
    const seen = this.#results.get(group) ?? new Set();
    this.#results.set(group, seen);
    const key = keyOf(labels);
    if (seen.has(key)) return 'multiple matches for labels: grouping labels must ensure unique matches';
    seen.add(key);
    return undefined;
  }
}

/** The labels of a result by those of its two samples, remembered. */
class ResultLabels {
  readonly #matching: VectorMatching;
  readonly #drop: boolean;
  readonly #ignored: ReadonlySet<string>;
  readonly #known = new WeakMap<Labels, { readonly one: Labels; readonly labels: Labels }>();

  constructor({ matching }: BinaryNode, drop: boolean) {
    this.#matching = matching;
    this.#drop = drop;
    this.#ignored = new Set(matching.labels);
  }

  of(many: Labels, one: Labels): Labels {
    const known = this.#known.get(many);
    if (known !== undefined && (known.one === one || this.#matching.card === 'one-to-one'))
      return known.labels;
    const labels = this.#derive(many, one);
    this.#known.set(many, { one, labels });
    return labels;
  }

  #derive(many: Labels, one: Labels): Labels {
    const matching = this.#matching;
    let labels = this.#drop ? dropName(many) : many;
    if (matching.card === 'one-to-one') {
      labels = matching.on ? pick(labels, matching.labels) : omit(labels, this.#ignored);
    }
    for (const name of matching.include) labels = withLabel(labels, name, labelValue(one, name));
    return labels;
  }
}
