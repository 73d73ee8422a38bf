import type { Matcher } from '../model/queryable.ts';

/** What an expression gives, by Prometheus's internal names: `vector` is an instant vector, `matrix` a range vector. */
export type ValueType = 'scalar' | 'vector' | 'matrix' | 'string';

/** Offsets into the text of the expression, `end` exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface NumberNode extends Span {
  readonly kind: 'number';
  readonly value: number;
  /** True where it is written as a duration, whose seconds are the value. */
  readonly duration?: true;
}

export interface StringNode extends Span {
  readonly kind: 'string';
  readonly value: string;
}

/** Moves the time of evaluation: `@ <seconds>`, `@ start()`, `@ end()`, then `offset`. */
export interface TimeShift {
  /** ms; positive looks back. */
  readonly offset: number;
  /** ms since the Unix epoch, or the start or the end of the query. */
  readonly at: number | 'start' | 'end' | undefined;
}

export interface SelectorNode extends Span {
  readonly kind: 'selector';
  /** The metric name where it is written in front of the braces. */
  readonly name: string | undefined;
  /** All matchers, that of `name` included. */
  readonly matchers: readonly Matcher[];
  readonly shift: TimeShift;
}

export interface MatrixNode extends Span {
  readonly kind: 'matrix';
  readonly selector: SelectorNode;
  /** ms */
  readonly range: number;
}

export interface SubqueryNode extends Span {
  readonly kind: 'subquery';
  readonly expr: Node;
  /** ms */
  readonly range: number;
  /** ms; undefined means the default resolution. */
  readonly step: number | undefined;
  readonly shift: TimeShift;
}

export interface UnaryNode extends Span {
  readonly kind: 'unary';
  readonly op: '+' | '-';
  readonly expr: Node;
}

export interface ParenNode extends Span {
  readonly kind: 'paren';
  readonly expr: Node;
}

export type ComparisonOperator = '==' | '!=' | '<' | '<=' | '>' | '>=';
export type SetOperator = 'and' | 'or' | 'unless';
export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%' | '^' | 'atan2';
export type BinaryOperator = ComparisonOperator | SetOperator | ArithmeticOperator;

export interface VectorMatching {
  readonly on: boolean;
  readonly labels: readonly string[];
  readonly card: 'one-to-one' | 'many-to-one' | 'one-to-many';
  /** Labels that `group_left` or `group_right` take over from the "one" side. */
  readonly include: readonly string[];
}

export interface BinaryNode extends Span {
  readonly kind: 'binary';
  readonly op: BinaryOperator;
  readonly left: Node;
  readonly right: Node;
  readonly bool: boolean;
  readonly matching: VectorMatching;
  readonly operator: Span;
}

export type Aggregator =
  | 'sum'
  | 'avg'
  | 'min'
  | 'max'
  | 'count'
  | 'group'
  | 'stddev'
  | 'stdvar'
  | 'topk'
  | 'bottomk'
  | 'quantile'
  | 'count_values';

export interface AggregateNode extends Span {
  readonly kind: 'aggregate';
  readonly op: Aggregator;
  readonly expr: Node;
  readonly param: Node | undefined;
  readonly without: boolean;
  readonly labels: readonly string[];
}

export interface CallNode extends Span {
  readonly kind: 'call';
  readonly name: string;
  readonly args: readonly Node[];
}

export type Node =
  | NumberNode
  | StringNode
  | SelectorNode
  | MatrixNode
  | SubqueryNode
  | UnaryNode
  | ParenNode
  | BinaryNode
  | AggregateNode
  | CallNode;

const COMPARISONS: ReadonlySet<string> = new Set<ComparisonOperator>(['==', '!=', '<', '<=', '>', '>=']);
const SETS: ReadonlySet<string> = new Set<SetOperator>(['and', 'or', 'unless']);

export function isComparison(op: BinaryOperator): op is ComparisonOperator {
  return COMPARISONS.has(op);
}

export function isSetOperator(op: BinaryOperator): op is SetOperator {
  return SETS.has(op);
}

/** The expression inside any parentheses around it. */
export function unwrap(node: Node): Node {
  return node.kind === 'paren' ? unwrap(node.expr) : node;
}

export function children(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'matrix':
      return [node.selector];
    case 'subquery':
    case 'unary':
    case 'paren':
      return [node.expr];
    case 'binary':
      return [node.left, node.right];
    case 'aggregate':
      return node.param === undefined ? [node.expr] : [node.param, node.expr];
    case 'call':
      return node.args;
    default:
      return [];
  }
}
