import type { Labels } from '../model/labels.ts';
import type { Matcher, Sample } from '../model/queryable.ts';
import { planAggregate } from './aggregate.ts';
import { children, type Node, type UnaryNode, type ValueType } from './ast.ts';
import { planBinary } from './binary.ts';
import { type Dialect, V3 } from './dialect.ts';
import { Args, planCall } from './functions.ts';
import { dropName } from './label-ops.ts';
import { parse } from './parser.ts';
import { type Plan, unique, type VectorPlan } from './plan.ts';
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

/**
 * `dialect` is for comparison with other versions of Prometheus.
 * @throws TaskwardenError TASKWARDEN_PROMQL with the position of the mistake.
 */
export function compile(text: string, dialect: Dialect = V3): Expression {
  const node = parse(text);
  const type = checkTypes(node, text);
  return new CompiledExpression(text, type, node, dialect);
}

class CompiledExpression implements Expression {
  readonly text: string;
  readonly type: ValueType;
  readonly node: Node;
  readonly plan: Plan;

  constructor(text: string, type: ValueType, node: Node, dialect: Dialect) {
    this.text = text;
    this.type = type;
    this.node = node;
    this.plan = planOf(node, text, dialect);
  }

  selectors(): readonly (readonly Matcher[])[] {
    return selectorsOf(this.node);
  }

  metricNames(): readonly string[] {
    return [...new Set(this.selectors().flatMap((matchers) => nameOf(matchers) ?? []))];
  }
}

function selectorsOf(node: Node): (readonly Matcher[])[] {
  return node.kind === 'selector' ? [node.matchers] : children(node).flatMap(selectorsOf);
}

/** Kinds of node whose results are worth sharing between the expressions of one moment. */
const SHARED: ReadonlySet<Node['kind']> = new Set(['selector', 'aggregate', 'call']);

/** Kinds of node that may take long over many samples and read none themselves. */
const COMPUTED: ReadonlySet<Node['kind']> = new Set(['unary', 'binary', 'call']);

function planOf(node: Node, text: string, dialect: Dialect): Plan {
  const own = ownPlanOf(node, text, dialect);
  const plan = own.type === 'vector' && COMPUTED.has(node.kind) ? counted(own.at) : own;
  return plan.type === 'vector' && SHARED.has(node.kind)
    ? { type: 'vector', at: shared(plan.at, text.slice(node.start, node.end), selectorsOf(node)) }
    : plan;
}

/** A plan whose results are told of, so that a long chain of them can be ended as a large selection can. */
function counted(plan: VectorPlan): Plan {
  return {
    type: 'vector',
    at: (context, t) => {
      const samples = plan(context, t);
      context.made(samples.length);
      return samples;
    },
  };
}

/** The plan of a part of an expression, which takes the result from the query's memo where it has one. */
function shared(plan: VectorPlan, key: string, selectors: readonly (readonly Matcher[])[]): VectorPlan {
  const names = selectors.map(nameOf);
  return (context, t) => {
    const { memo, queryable } = context;
    if (memo === undefined || queryable.lastWrite === undefined || t !== context.startMs)
      return plan(context, t);
    let written = 0;
    for (const name of names) written = Math.max(written, queryable.lastWrite(name));
    return memo.of(key, t, written, () => plan(context, t));
  };
}

function nameOf(matchers: readonly Matcher[]): string | undefined {
  return matchers.find(({ name, type }) => name === '__name__' && type === '=')?.value;
}

function ownPlanOf(node: Node, text: string, dialect: Dialect): Plan {
  const plan = (inner: Node): Plan => planOf(inner, text, dialect);
  switch (node.kind) {
    case 'number':
      return { type: 'scalar', at: () => node.value };
    case 'string':
      return { type: 'string', value: node.value };
    case 'paren':
      return plan(node.expr);
    case 'selector':
      return { type: 'vector', at: planSelector(node, dialect) };
    case 'matrix':
      return { type: 'matrix', at: planMatrix(node, dialect) };
    case 'subquery':
      return { type: 'matrix', at: planSubquery(node, new Args([plan(node.expr)]).vector(0), dialect) };
    case 'unary':
      return planUnary(node, plan(node.expr));
    case 'binary':
      return planBinary(node, plan(node.left), plan(node.right), dialect);
    case 'aggregate': {
      const inner = new Args([plan(node.expr)]).vector(0);
      const param = node.param === undefined ? undefined : plan(node.param);
      const number = param?.type === 'scalar' ? param.at : undefined;
      const label = param?.type === 'string' ? param.value : '';
      return { type: 'vector', at: planAggregate(node, inner, number, label, dialect) };
    }
    case 'call':
      return planCall(node, new Args(node.args.map(plan)), dialect);
  }
}

function planUnary(node: UnaryNode, inner: Plan): Plan {
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
