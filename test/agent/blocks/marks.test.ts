import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockMarks } from '../../../src/agent/blocks/marks.ts';
import { compile } from '../../../src/promql/promql.ts';
import type { RuleGroup } from '../../../src/rules/rule.ts';

const M = 'task_event_loop_blocked_seconds';

function group(...exprs: (string | [string, number])[]): RuleGroup {
  const rules = exprs.map((one) => {
    const [expr, holdMs] = typeof one === 'string' ? [one, 0] : one;
    return {
      ...{ kind: 'alert', name: 'A', expr, expression: compile(expr), holdMs, keepFiringMs: 0 },
      ...{ position: { line: 1, column: 1 }, labels: [], annotations: [] },
    } as unknown as RuleGroup['rules'][number];
  });
  return { name: 'g', file: 'f', intervalMs: undefined, limit: 0, queryOffsetMs: 0, rules };
}

const marks = (...exprs: (string | [string, number])[]): readonly number[] =>
  blockMarks([group(...exprs)], { threshold: 1000, isSet: false });

test('the bounds of rules about blocks are the lengths at which they are evaluated', () => {
  assert.deepEqual(marks(`${M}{task_name="x"} > 0.2`), [200, 1000]);
  assert.deepEqual(
    marks(`max by (job) (${M}) >= 2`, `0.3 < ${M}`, `((${M})) > (5s)`),
    [300, 1000, 2000, 5000],
  );
  assert.deepEqual(marks([`${M} > 0.2`, 500]), [200, 700, 1000], 'and when they have held for long enough');
  assert.deepEqual(marks(`${M} > 0.2 and on () up > 3`), [200, 1000], 'those of other metrics are not');
});

test('without a bound it is the threshold', () => {
  for (const expr of ['up > 3', M, `${M} > 0`, `${M} > on () group_left () up`, `${M} == Inf`])
    assert.deepEqual(marks(expr), [1000], expr);
  assert.deepEqual(blockMarks([], { threshold: 1000, isSet: false }), [1000]);
});

test('a threshold that was set is the least', () => {
  const groups = [group(`${M} > 0.2`, `${M} > 7`)];
  assert.deepEqual(blockMarks(groups, { threshold: 3000, isSet: true }), [3000, 7000]);
});
