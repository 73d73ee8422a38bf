import type { Labels } from '../model/labels.ts';
import type { Sample } from '../model/queryable.ts';
import type { AggregateNode, Aggregator } from './ast.ts';
import type { Accumulator, Dialect } from './dialect.ts';
import { evaluationError, quote } from './errors.ts';
import { formatFloat, formatShortest } from './format.ts';
import { Grouping } from './grouping.ts';
import { ascending, KahanSum, Mean, Variance } from './kahan.ts';
import { withLabel } from './label-ops.ts';
import type { ScalarPlan, VectorPlan } from './plan.ts';
import { best } from './top.ts';

class Extreme implements Accumulator {
  value = Number.NaN;
  readonly #better: (a: number, b: number) => boolean;

  constructor(better: (a: number, b: number) => boolean) {
    this.#better = better;
  }

  add(value: number): void {
    if (this.#better(value, this.value) || Number.isNaN(this.value)) this.value = value;
  }
}

class Count implements Accumulator {
  value = 0;

  add(): void {
    this.value++;
  }
}

class Deviation extends Variance {
  override get value(): number {
    return Math.sqrt(super.value);
  }
}

const ACCUMULATORS: Readonly<Partial<Record<Aggregator, () => Accumulator>>> = {
  sum: () => new KahanSum(),
  avg: () => new Mean(),
  min: () => new Extreme((a, b) => a < b),
  max: () => new Extreme((a, b) => a > b),
  count: () => new Count(),
  group: () => ({ add() {}, value: 1 }),
  stddev: () => new Deviation(),
  stdvar: () => new Variance(),
};

/** `param` is the plan of the number in front (topk, bottomk, quantile), `label` the string of count_values. */
export function planAggregate(
  node: AggregateNode,
  inner: VectorPlan,
  param: ScalarPlan | undefined,
  label: string,
  dialect: Dialect,
): VectorPlan {
  const names = node.op === 'count_values' && !node.without ? [...node.labels, label] : node.labels;
  const grouping = new Grouping(names, node.without);
  const accumulator = dialect.accumulators[node.op] ?? ACCUMULATORS[node.op];
  if (accumulator !== undefined) return (context, t) => accumulate(inner(context, t), grouping, accumulator);
  if (node.op === 'count_values') return (context, t) => countValues(inner(context, t), grouping, label);
  return (context, t) => {
    const number = param?.(context, t) ?? Number.NaN;
    const groups = collect(inner(context, t), grouping);
    return node.op === 'quantile'
      ? quantiles(groups, number, dialect)
      : extremes(groups, number, node.op === 'topk');
  };
}

function accumulate(samples: readonly Sample[], grouping: Grouping, make: () => Accumulator): Sample[] {
  const { groups, groupOf } = grouping.layout(samples);
  const own = groups.map(make);
  for (let at = 0; at < samples.length; at++) own[groupOf[at]!]!.add(samples[at]!.value);
  return groups.map((labels, at) => ({ labels, value: own[at]!.value }));
}

function collect(samples: readonly Sample[], grouping: Grouping): Map<Labels, Sample[]> {
  const { groups, groupOf } = grouping.layout(samples);
  const own = groups.map((): Sample[] => []);
  for (let at = 0; at < samples.length; at++) own[groupOf[at]!]!.push(samples[at]!);
  return new Map(groups.map((labels, at) => [labels, own[at]!]));
}

function quantiles(
  groups: ReadonlyMap<Labels, readonly Sample[]>,
  q: number,
  { quantile }: Dialect,
): Sample[] {
  return [...groups].map(([labels, samples]) => ({
    labels,
    value: quantile(
      q,
      samples.map((sample) => sample.value),
    ),
  }));
}

/** The k greatest or least samples of each group, best first and NaN last. */
function extremes(groups: ReadonlyMap<Labels, Sample[]>, k: number, greatest: boolean): Sample[] {
  if (k < 1) return [];
  if (Number.isNaN(k)) throw evaluationError('Parameter value is NaN');
  if (k >= 2 ** 63 - 1024) throw evaluationError(`Scalar value ${formatShortest(k)} overflows int64`);
  const count = Math.trunc(k);
  return [...groups.values()].flatMap((samples) => {
    return sortSamples(samples.length > count ? best(samples, count, greatest) : samples, greatest);
  });
}

/** Sorts samples by value in place; NaN comes last either way. */
export function sortSamples(samples: Sample[], descending: boolean): Sample[] {
  return samples.sort((a, b) => {
    if (Number.isNaN(a.value) || Number.isNaN(b.value)) return ascending(b.value, a.value);
    return descending ? ascending(b.value, a.value) : ascending(a.value, b.value);
  });
}

/** Counts by value: a sample is grouped with its value as one more label. */
function countValues(samples: readonly Sample[], grouping: Grouping, label: string): Sample[] {
  if (label === '') throw evaluationError(`invalid label name ${quote(label)}`);
  const valued = samples.map(({ labels, value }) => ({
    labels: withLabel(labels, label, formatFloat(value)),
    value,
  }));
  return accumulate(valued, grouping, () => new Count());
}
