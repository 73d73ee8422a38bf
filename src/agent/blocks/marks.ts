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
 * `task_event_loop_blocked_seconds` with, and `for` after each.
 */
export function blockMarks(groups: readonly RuleGroup[], { threshold, isSet }: Threshold): readonly number[] {
  const marks = new Set([threshold]);
  const leastMs = isSet ? threshold : 0;
  for (const { rules } of groups) {
    for (const rule of rules) {
      const expression = rule.expression as Expression;
      if (!expression.metricNames().includes(METRIC)) continue;
      for (const bound of boundsOf(expression.node)) {
        marks.add(Math.max(leastMs, bound * 1000));
        if (rule.kind === 'alert' && rule.holdMs > 0)
          marks.add(Math.max(leastMs, bound * 1000 + rule.holdMs));
      }
    }
  }
  return [...marks].sort((a, b) => a - b).slice(0, MAX_MARKS);
}

/** Numbers that something which holds the metric is compared with. */
function boundsOf(node: Node): number[] {
  const below = children(node).flatMap(boundsOf);
  if (node.kind !== 'binary' || !isComparison(node.op)) return below;
  const [left, right] = [constant(node.left), constant(node.right)];
  const bound = left === undefined ? right : left;
  const other = left === undefined ? node.left : node.right;
  return bound !== undefined && bound > 0 && mentions(other) ? [...below, bound] : below;
}

function constant(node: Node): number | undefined {
  if (node.kind === 'paren') return constant(node.expr);
  return node.kind === 'number' && Number.isFinite(node.value) ? node.value : undefined;
}

function mentions(node: Node): boolean {
  if (node.kind === 'selector')
    return node.matchers.some(({ name, value }) => name === '__name__' && value === METRIC);
  return children(node).some(mentions);
}
