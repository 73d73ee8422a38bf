import type { Labels } from '../model/labels.ts';
import type { Sample } from '../model/queryable.ts';
import type { BinaryNode, VectorMatching } from './ast.ts';
import { type Dialect, dropsName } from './dialect.ts';
import { evaluationError } from './errors.ts';
import { dropName, formatLabels, Grouping, keyOf, omit, own, pick, withLabel } from './label-ops.ts';
import type { VectorPlan } from './plan.ts';

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
  return (context, t) => {
    const leftSamples = left(context, t);
    const rightSamples = right(context, t);
    const [many, one] = swapped ? [rightSamples, leftSamples] : [leftSamples, rightSamples];
    if (many.length === 0 || one.length === 0) return [];
    const bySignature = indexOneSide(one, grouping, side);
    const taken = new Taken(matching);
    const samples: Sample[] = [];
    for (const sample of many) {
      const group = grouping.of(sample.labels);
      const partner = bySignature.get(group);
      if (partner === undefined) continue;
      const value = swapped ? operate(partner.value, sample.value) : operate(sample.value, partner.value);
      if (value === undefined && !dialect.filteredMatchesCollide) continue;
      const labels = result.of(sample.labels, partner.labels);
      taken.add(group, labels);
      if (value !== undefined) samples.push({ labels, value });
    }
    return samples;
  };
}

function indexOneSide(one: readonly Sample[], grouping: Grouping, side: string): Map<Labels, Sample> {
  const index = new Map<Labels, Sample>();
  for (const sample of one) {
    const group = grouping.of(sample.labels);
    const other = index.get(group);
    if (other !== undefined) {
      const both = [formatLabels(sample.labels), formatLabels(other.labels)].sort().join(', ');
      throw evaluationError(
        `found duplicate series for the match group ${formatLabels(group)} on the ${side} hand-side of the operation: ` +
          `[${both}];many-to-many matching not allowed: matching labels must be unique on one side`,
      );
    }
    index.set(group, sample);
  }
  return index;
}

/** Refuses a second result that cannot be told from the first. */
class Taken {
  readonly #oneToOne: boolean;
  readonly #groups = new Set<Labels>();
  readonly #results = new Map<Labels, Set<string>>();

  constructor({ card }: VectorMatching) {
    this.#oneToOne = card === 'one-to-one';
  }

  add(group: Labels, labels: Labels): void {
    if (this.#oneToOne) {
      if (this.#groups.has(group)) {
        throw evaluationError(
          'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
        );
      }
      this.#groups.add(group);
      return;
    }
    const seen = this.#results.get(group) ?? new Set();
    this.#results.set(group, seen);
    const key = keyOf(labels);
    if (seen.has(key)) {
      throw evaluationError('multiple matches for labels: grouping labels must ensure unique matches');
    }
    seen.add(key);
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
    for (const name of matching.include) labels = withLabel(labels, name, own(one, name));
    return labels;
  }
}
