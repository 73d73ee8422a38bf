import type { AggregateNode, BinaryNode, CallNode, Node, SelectorNode } from '../../promql/ast.ts';
import { isSetOperator } from '../../promql/ast.ts';
import { SIGNATURES } from '../../promql/signatures.ts';

/** Label names; undefined where nothing is known of them. */
export type LabelSet = ReadonlySet<string> | undefined;

/** Says which labels the series of a metric may have, and remembers those of expressions, which are asked for again and again. */
export interface LabelSource {
  labels(metric: string): LabelSet;
  readonly known: WeakMap<Node, LabelSet>;
}

const NONE: LabelSet = new Set();

/** Labels that the result of an expression may have, the metric name left aside. */
export function resultLabels(node: Node, source: LabelSource): LabelSet {
  if (!source.known.has(node)) source.known.set(node, derive(node, source));
  return source.known.get(node);
}

function derive(node: Node, source: LabelSource): LabelSet {
  switch (node.kind) {
    case 'number':
    case 'string':
      return NONE;
    case 'paren':
    case 'unary':
    case 'subquery':
      return resultLabels(node.expr, source);
    case 'matrix':
      return resultLabels(node.selector, source);
    case 'selector': {
      const metric = metricOf(node);
      return metric === undefined ? undefined : source.labels(metric);
    }
    case 'aggregate':
      return ofAggregate(node, resultLabels(node.expr, source));
    case 'binary':
      return ofBinary(node, resultLabels(node.left, source), resultLabels(node.right, source));
    case 'call':
      return ofCall(node, source);
  }
}

/** The one metric that a selector asks for; undefined where it may be several. */
export function metricOf({ matchers }: SelectorNode): string | undefined {
  return matchers.find(({ name, type }) => name === '__name__' && type === '=')?.value;
}

function ofAggregate({ op, without, labels, param }: AggregateNode, inner: LabelSet): LabelSet {
  if (op === 'topk' || op === 'bottomk' || inner === undefined) return inner;
  const named = new Set(labels);
  const kept = [...inner].filter((label) => named.has(label) !== without);
  return new Set(op === 'count_values' && param?.kind === 'string' ? [...kept, param.value] : kept);
}

function ofBinary({ op, left, right, matching }: BinaryNode, one: LabelSet, other: LabelSet): LabelSet {
  if (isScalar(left)) return other;
  if (isScalar(right)) return one;
  if (isSetOperator(op)) return op === 'or' ? union(one, other) : one;
  if (matching.card === 'many-to-one') return union(one, new Set(matching.include));
  if (matching.card === 'one-to-many') return union(other, new Set(matching.include));
  const named = new Set(matching.labels);
  return one === undefined
    ? undefined
    : new Set([...one].filter((label) => named.has(label) === matching.on));
}

function ofCall({ name, args }: CallNode, source: LabelSource): LabelSet {
  if (SIGNATURES.get(name)?.returns === 'scalar' || name === 'vector' || args.length === 0) return NONE;
  const vector = args.find((arg) => !isScalar(arg) && arg.kind !== 'string');
  const inner = vector === undefined ? NONE : resultLabels(vector, source);
  if (name === 'absent' || name === 'absent_over_time') return matchedBy(vector);
  if (inner === undefined) return undefined;
  const second = args[1];
  if ((name === 'label_replace' || name === 'label_join') && second?.kind === 'string')
    return new Set([...inner, second.value]);
  if (name.startsWith('histogram_')) return new Set([...inner].filter((label) => label !== 'le'));
  return inner;
}

/** `absent` gives the labels that its selector asks for by `=`. */
function matchedBy(node: Node | undefined): LabelSet {
  const selector = node?.kind === 'matrix' ? node.selector : node;
  if (selector?.kind !== 'selector') return NONE;
  return new Set(selector.matchers.filter(({ type }) => type === '=').map(({ name }) => name));
}

function union(one: LabelSet, other: LabelSet): LabelSet {
  return one === undefined || other === undefined ? undefined : new Set([...one, ...other]);
}

function isScalar(node: Node): boolean {
  switch (node.kind) {
    case 'number':
      return true;
    case 'paren':
    case 'unary':
      return isScalar(node.expr);
    case 'binary':
      return isScalar(node.left) && isScalar(node.right);
    case 'call':
      return SIGNATURES.get(node.name)?.returns === 'scalar';
    default:
      return false;
  }
}
