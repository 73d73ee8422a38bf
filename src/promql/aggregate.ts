import type { Labels } from '../model/labels.ts';
import type { Sample } from '../model/queryable.ts';
import type { AggregateNode, Aggregator } from './ast.ts';
import type { Accumulator, Dialect } from './dialect.ts';
import { formatFloat } from './format.ts';
import { ascending, KahanSum, Mean, quantile, Variance } from './kahan.ts';
import { Grouping, withLabel } from './label-ops.ts';
import type { ScalarPlan, VectorPlan } from './plan.ts';

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
  const grouping = new Grouping(node.labels, node.without);
  const accumulator = dialect.accumulators[node.op] ?? ACCUMULATORS[node.op];
  if (accumulator !== undefined) return (context, t) => accumulate(inner(context, t), grouping, accumulator);
  if (node.op === 'count_values') return (context, t) => countValues(inner(context, t), grouping, label);
  return (context, t) => {
    const groups = collect(inner(context, t), grouping);
    const number = param?.(context, t) ?? Number.NaN;
    return node.op === 'quantile' ? quantiles(groups, number) : extremes(groups, number, node.op === 'topk');
  };
}

function accumulate(samples: readonly Sample[], grouping: Grouping, make: () => Accumulator): Sample[] {
  const groups = new Map<Labels, Accumulator>();
  for (const { labels, value } of samples) {
    const group = grouping.of(labels);
    let own = groups.get(group);
    if (own === undefined) {
      own = make();
      groups.set(group, own);
    }
    own.add(value);
  }
  const result: Sample[] = [];
  for (const [labels, own] of groups) result.push({ labels, value: own.value });
  return result;
}

function collect(samples: readonly Sample[], grouping: Grouping): Map<Labels, Sample[]> {
  const groups = new Map<Labels, Sample[]>();
  for (const sample of samples) {
    const group = grouping.of(sample.labels);
    const own = groups.get(group);
    if (own === undefined) groups.set(group, [sample]);
    else own.push(sample);
  }
  return groups;
}

function quantiles(groups: ReadonlyMap<Labels, readonly Sample[]>, q: number): Sample[] {
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
  const count = Math.trunc(k);
  if (!(count >= 1)) return [];
  return [...groups.values()].flatMap((samples) => sortSamples(samples, greatest).slice(0, count));
}

/** Sorts samples by value in place; NaN comes last either way. */
export function sortSamples(samples: Sample[], descending: boolean): Sample[] {
  return samples.sort((a, b) => {
    if (Number.isNaN(a.value) || Number.isNaN(b.value)) return ascending(b.value, a.value);
    return descending ? ascending(b.value, a.value) : ascending(a.value, b.value);
  });
}

function countValues(samples: readonly Sample[], grouping: Grouping, label: string): Sample[] {
  const counts = new Map<Labels, Map<string, number>>();
  for (const { labels, value } of samples) {
    const group = grouping.of(labels);
    const own = counts.get(group) ?? new Map<string, number>();
    counts.set(group, own);
    const text = formatFloat(value);
    own.set(text, (own.get(text) ?? 0) + 1);
  }
  const result = [...counts].flatMap(([group, own]) =>
    [...own].map(([text, value]) => ({ labels: withLabel(group, label, text), value })),
  );
  return accumulate(result, new Grouping([], true), () => new KahanSum());
}
