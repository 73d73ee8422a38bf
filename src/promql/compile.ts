import type { Labels } from '../model/labels.ts';
import type { Matcher, Sample } from '../model/queryable.ts';
import { planAggregate } from './aggregate.ts';
import { children, type Node, type UnaryNode, type ValueType } from './ast.ts';
import { planBinary } from './binary.ts';
import { Args, planCall } from './functions.ts';
import { dropName } from './label-ops.ts';
import { parse } from './parser.ts';
import { type Plan, unique } from './plan.ts';
import { planMatrix, planSelector, planSubquery } from './selectors.ts';
import { checkTypes } from './types.ts';

/** A parsed and type-checked expression, ready to be evaluated again and again. */
export interface Expression {
  readonly text: string;
  readonly type: ValueType;
  readonly node: Node;
  readonly plan: Plan;
  /** The matchers of each selector, in the order of the text. */
  selectors(): readonly (readonly Matcher[])[];
  /** Names of the metrics that selectors ask for by `=`, each once. */
  metricNames(): readonly string[];
}

/** @throws TaskwardenError TASKWARDEN_PROMQL with the position of the mistake. */
export function compile(text: string): Expression {
  const node = parse(text);
  const type = checkTypes(node, text);
  return new CompiledExpression(text, type, node);
}

class CompiledExpression implements Expression {
  readonly text: string;
  readonly type: ValueType;
  readonly node: Node;
  readonly plan: Plan;

  constructor(text: string, type: ValueType, node: Node) {
    this.text = text;
    this.type = type;
    this.node = node;
    this.plan = planOf(node);
  }

  selectors(): readonly (readonly Matcher[])[] {
    return selectorsOf(this.node);
  }

  metricNames(): readonly string[] {
    const names = this.selectors().flatMap((matchers) =>
      matchers.filter(({ name, type }) => name === '__name__' && type === '=').map(({ value }) => value),
    );
    return [...new Set(names)];
  }
}

function selectorsOf(node: Node): (readonly Matcher[])[] {
  return node.kind === 'selector' ? [node.matchers] : children(node).flatMap(selectorsOf);
}

function planOf(node: Node): Plan {
  switch (node.kind) {
    case 'number':
      return { type: 'scalar', at: () => node.value };
    case 'string':
      return { type: 'string', value: node.value };
    case 'paren':
      return planOf(node.expr);
    case 'selector':
      return { type: 'vector', at: planSelector(node) };
    case 'matrix':
      return { type: 'matrix', at: planMatrix(node) };
    case 'subquery':
      return { type: 'matrix', at: planSubquery(node, new Args([planOf(node.expr)]).vector(0)) };
    case 'unary':
      return planUnary(node);
    case 'binary':
      return planBinary(node, planOf(node.left), planOf(node.right));
    case 'aggregate': {
      const inner = new Args([planOf(node.expr)]).vector(0);
      const param = node.param === undefined ? undefined : planOf(node.param);
      const number = param?.type === 'scalar' ? param.at : undefined;
      const label = param?.type === 'string' ? param.value : '';
      return { type: 'vector', at: planAggregate(node, inner, number, label) };
    }
    case 'call':
      return planCall(node, new Args(node.args.map(planOf)));
  }
}

function planUnary(node: UnaryNode): Plan {
  const inner = planOf(node.expr);
  if (node.op === '+') return inner;
  if (inner.type === 'scalar') return { type: 'scalar', at: (context, t) => -inner.at(context, t) };
  const samples = new Args([inner]).vector(0);
  const negate = ({ labels, value }: { labels: Labels; value: number }): Sample => ({
    labels: dropName(labels),
    value: -value,
  });
  return {
    type: 'vector',
    at: (context, t) => {
      const before = samples(context, t);
      return unique(before.map(negate), before);
    },
  };
}
