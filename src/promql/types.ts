import {
  type BinaryNode,
  type CallNode,
  isComparison,
  isSetOperator,
  type Node,
  type ValueType,
} from './ast.ts';
import { parseError, quote } from './errors.ts';
import { SIGNATURES } from './signatures.ts';

const DOCUMENTED: Readonly<Record<ValueType, string>> = {
  scalar: 'scalar',
  vector: 'instant vector',
  matrix: 'range vector',
  string: 'string',
};

/**
 * Checks an expression's types and gives that of its value. `text` is what it was parsed from.
 * @throws TaskwardenError TASKWARDEN_PROMQL with the position, in the words of Prometheus.
 */
export function checkTypes(node: Node, text: string): ValueType {
  const fail: Fail = (offset, message) => {
    throw parseError(text, offset, message);
  };
  return check(node, fail);
}

type Fail = (offset: number, message: string) => never;

function check(node: Node, fail: Fail): ValueType {
  switch (node.kind) {
    case 'number':
      return 'scalar';
    case 'string':
      return 'string';
    case 'paren':
      return check(node.expr, fail);
    case 'matrix':
      check(node.selector, fail);
      return 'matrix';
    case 'selector': {
      const own = node.name === undefined ? node.matchers : node.matchers.slice(0, -1);
      const twice = own.find((matcher) => matcher.name === '__name__');
      if (node.name !== undefined && twice !== undefined) {
        fail(node.start, `metric name must not be set twice: ${quote(node.name)} or ${quote(twice.value)}`);
      }
      if (node.matchers.every((matcher) => matcher.matches(''))) {
        fail(node.start, 'vector selector must contain at least one non-empty matcher');
      }
      return 'vector';
    }
    case 'subquery': {
      const type = check(node.expr, fail);
      if (type !== 'vector')
        fail(node.start, `subquery is only allowed on instant vector, got ${type} instead`);
      return 'matrix';
    }
    case 'unary': {
      const type = check(node.expr, fail);
      if (type === 'scalar' || type === 'vector') return type;
      const got = quote(DOCUMENTED[type]);
      return fail(
        node.start,
        `unary expression only allowed on expressions of type scalar or instant vector, got ${got}`,
      );
    }
    case 'aggregate': {
      expect(node.expr, 'vector', 'aggregation expression', fail);
      const wanted = node.op === 'count_values' ? 'string' : 'scalar';
      if (node.param !== undefined) expect(node.param, wanted, 'aggregation parameter', fail);
      return 'vector';
    }
    case 'binary':
      return checkBinary(node, fail);
    case 'call':
      return checkCall(node, fail);
  }
}

function expect(node: Node, wanted: ValueType, context: string, fail: Fail): void {
  const got = check(node, fail);
  if (got !== wanted) {
    fail(node.start, `expected type ${DOCUMENTED[wanted]} in ${context}, got ${DOCUMENTED[got]}`);
  }
}

function checkBinary(node: BinaryNode, fail: Fail): ValueType {
  const { op, matching, operator } = node;
  const left = check(node.left, fail);
  const right = check(node.right, fail);
  if (node.bool && !isComparison(op)) {
    fail(operator.start, 'bool modifier can only be used on comparison operators');
  }
  if (isComparison(op) && !node.bool && left === 'scalar' && right === 'scalar') {
    fail(operator.start, 'comparisons between scalars must use BOOL modifier');
  }
  const both = matching.on ? matching.labels.find((label) => matching.include.includes(label)) : undefined;
  if (both !== undefined) {
    fail(operator.start, `label ${quote(both)} must not occur in ON and GROUP clause at once`);
  }
  for (const [side, type] of [
    [node.left, left],
    [node.right, right],
  ] as const) {
    if (type !== 'scalar' && type !== 'vector') {
      fail(side.start, 'binary expression must contain only scalar and instant vector types');
    }
  }
  const vectors = left === 'vector' && right === 'vector';
  if (!vectors && matching.labels.length > 0) {
    fail(node.start, 'vector matching only allowed between instant vectors');
  }
  if (isSetOperator(op)) {
    if (vectors && matching.card !== 'one-to-one') {
      fail(node.start, `no grouping allowed for ${quote(op)} operation`);
    }
    if (!vectors) fail(node.start, `set operator ${quote(op)} not allowed in binary scalar expression`);
  }
  return left === 'scalar' && right === 'scalar' ? 'scalar' : 'vector';
}

function checkCall(node: CallNode, fail: Fail): ValueType {
  const { args, variadic, returns } = SIGNATURES.get(node.name)!;
  const got = node.args.length;
  const required = variadic === 0 ? args.length : args.length - 1;
  const most = variadic < 0 ? Number.POSITIVE_INFINITY : required + variadic;
  const bound = variadic === 0 ? `${required}` : got < required ? `at least ${required}` : `at most ${most}`;
  if (got < required || got > most) {
    fail(node.start, `expected ${bound} argument(s) in call to ${quote(node.name)}, got ${got}`);
  }
  node.args.forEach((arg, at) => {
    expect(arg, args[Math.min(at, args.length - 1)]!, `call to function ${quote(node.name)}`, fail);
  });
  return returns;
}
