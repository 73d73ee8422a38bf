import type { Labels } from '../model/labels.ts';
import type { Sample } from '../model/queryable.ts';
import { type BinaryNode, isComparison, isSetOperator, type SetOperator } from './ast.ts';
import { type Dialect, dropsName } from './dialect.ts';
import { Grouping } from './grouping.ts';
import { type Combine, planMatching } from './matching.ts';
import { ARITHMETIC, COMPARISON } from './operators.ts';
import { assertUnique, nameless, type Plan, type ScalarPlan, type VectorPlan } from './plan.ts';
import { Steady, SteadyPair } from './steady.ts';

export function planBinary(node: BinaryNode, left: Plan, right: Plan, dialect: Dialect): Plan {
  const { op } = node;
  if (left.type === 'scalar' && right.type === 'scalar') {
    return { type: 'scalar', at: scalars(combine(node), left.at, right.at) };
  }
  if (left.type === 'vector' && right.type === 'scalar') {
    return { type: 'vector', at: elementwise(node, left.at, right.at, false, dropsName(node, dialect)) };
  }
  if (left.type === 'scalar' && right.type === 'vector') {
    return { type: 'vector', at: elementwise(node, right.at, left.at, true, dropsName(node, dialect)) };
  }
  if (left.type !== 'vector' || right.type !== 'vector')
    throw new TypeError(`${op} of ${left.type} and ${right.type}`);
  const at = isSetOperator(op)
    ? planSet(node, op, left.at, right.at)
    : planMatching(node, combine(node), left.at, right.at, dialect);
  return { type: 'vector', at };
}

function combine({ op, bool }: BinaryNode): Combine {
  if (isSetOperator(op)) throw new TypeError(`${op} does not combine numbers`);
  if (!isComparison(op)) return ARITHMETIC[op];
  const holds = COMPARISON[op];
  if (bool) return (a, b) => (holds(a, b) ? 1 : 0);
  return (a, b) => (holds(a, b) ? a : undefined);
}

function scalars(operate: Combine, left: ScalarPlan, right: ScalarPlan): ScalarPlan {
  return (context, t) => operate(left(context, t), right(context, t)) ?? Number.NaN;
}

/** A vector against a number. A comparison keeps the vector's value on whichever side it stands. */
function elementwise(
  node: BinaryNode,
  vector: VectorPlan,
  scalar: ScalarPlan,
  swapped: boolean,
  drop: boolean,
): VectorPlan {
  const { op, bool } = node;
  const operate = combine(node);
  const filter = isComparison(op) && !bool ? COMPARISON[op] : undefined;
  const names = new Steady(drop ? nameless : (labels) => ({ labels, mixed: nameless(labels).mixed }));
  return (context, t) => {
    // Left first, as it is told of the first mistake.
    const before = swapped ? scalar(context, t) : undefined;
    const samples = vector(context, t);
    const number = before ?? scalar(context, t);
    if (filter !== undefined) {
      return samples.filter(({ value }) => (swapped ? filter(number, value) : filter(value, number)));
    }
    const { labels, mixed } = names.of(samples);
    const result = samples.map(({ value }, at): Sample => {
      const combined = swapped ? operate(number, value) : operate(value, number);
      return { labels: labels[at]!, value: combined! };
    });
    if (mixed) assertUnique(result);
    return result;
  };
}

function planSet(node: BinaryNode, op: SetOperator, left: VectorPlan, right: VectorPlan): VectorPlan {
  const { labels, on } = node.matching;
  const grouping = new Grouping(labels, !on);
  const keeps = new SteadyPair((own: readonly Labels[], other: readonly Labels[]): boolean[] => {
    grouping.tidy();
    const seen = new Set(other.map((each) => grouping.of(each)));
    return own.map((each) => seen.has(grouping.of(each)) === (op === 'and'));
  });
  return (context, t) => {
    const leftSamples = left(context, t);
    const rightSamples = right(context, t);
    if (op === 'or') {
      const kept = keeps.of(rightSamples, leftSamples);
      return [...leftSamples, ...rightSamples.filter((_, at) => kept[at]!)];
    }
    if (leftSamples.length === 0) return [];
    const kept = keeps.of(leftSamples, rightSamples);
    return leftSamples.filter((_, at) => kept[at]!);
  };
}
