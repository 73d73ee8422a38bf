import { children, isComparison, type Node } from '../../promql/ast.ts';
import type { Expression } from '../../promql/promql.ts';
import type { RuleGroup } from '../../rules/rule.ts';

const METRIC = 'task_event_loop_blocked_seconds';
/** Bounds that are looked at; further ones wait for their group's interval. */
const MAX_MARKS = 16;

export interface Threshold {
  /** ms */
  readonly threshold: number;
  /** Whether somebody has set it: then what is shorter is no block, whatever a rule says. */
  readonly isSet: boolean;
}

/**
 * Lengths of a block at which an alert may begin, ms, ascending: the threshold, the numbers that rules compare
 * `task_event_loop_blocked_seconds` with, also by the name of a recording that is a number, and `for` after each.
 */
export function blockMarks(groups: readonly RuleGroup[], { threshold, isSet }: Threshold): readonly number[] {
  const marks = new Set([threshold]);
  const leastMs = isSet ? threshold : 0;
  const recorded = recordedNumbers(groups);
  for (const { rules } of groups) {
    for (const rule of rules) {
      const expression = rule.expression as Expression;
      if (!expression.metricNames().includes(METRIC)) continue;
      for (const bound of boundsOf(expression.node, recorded)) {
        marks.add(Math.max(leastMs, bound * 1000));
        if (rule.kind === 'alert' && rule.holdMs > 0)
          marks.add(Math.max(leastMs, bound * 1000 + rule.holdMs));
      }
    }
  }
  return [...marks].sort((a, b) => a - b).slice(0, MAX_MARKS);
}

type Recorded = ReadonlyMap<string, number>;

/** Recordings of a plain number, as thresholds are. */
function recordedNumbers(groups: readonly RuleGroup[]): Recorded {
  const numbers = new Map<string, number>();
  for (const rule of groups.flatMap(({ rules }) => rules)) {
    const value =
      rule.kind === 'record' ? constant((rule.expression as Expression).node, numbers) : undefined;
    if (value !== undefined) numbers.set(rule.name, value);
  }
  return numbers;
}

/** Numbers that something which holds the metric is compared with. */
function boundsOf(node: Node, recorded: Recorded): number[] {
  const below = children(node).flatMap((child) => boundsOf(child, recorded));
  if (node.kind !== 'binary' || !isComparison(node.op)) return below;
  const [left, right] = [constant(node.left, recorded), constant(node.right, recorded)];
  const bound = left === undefined ? right : left;
  const other = left === undefined ? node.left : node.right;
  return bound !== undefined && bound > 0 && mentions(other) ? [...below, bound] : below;
}

/** The value of a number, of `scalar(recording)` and of `vector(number)`; undefined for all else. */
function constant(node: Node, recorded: Recorded): number | undefined {
  if (node.kind === 'paren') return constant(node.expr, recorded);
  if (node.kind === 'call' && ['scalar', 'vector'].includes(node.name) && node.args[0] !== undefined)
    return constant(node.args[0], recorded);
  if (node.kind === 'selector') return recorded.get(node.name ?? '');
  return node.kind === 'number' && Number.isFinite(node.value) ? node.value : undefined;
}

function mentions(node: Node): boolean {
  if (node.kind === 'selector')
    return node.matchers.some(({ name, value }) => name === '__name__' && value === METRIC);
  return children(node).some(mentions);
}
