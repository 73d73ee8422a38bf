import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dashboards, selectors, targets } from '../helpers/dashboard-json.ts';
import { knownSeries } from '../helpers/metric-names.ts';

const KNOWN = knownSeries();
/** Words of PromQL that the dashboards use; what is neither one of these nor a metric is a mistake. */
const WORDS = ['sum', 'max', 'by', 'on', 'and', 'rate', 'increase', 'histogram_quantile', 'group_left'];

/** What is wrong with the names of an expression; empty when nothing is. */
function faults(expr: string): string[] {
  const found = selectors(expr);
  const carried = new Set<string>();
  const wrong: string[] = [];
  for (const { name, labels } of found) {
    const series = KNOWN.get(name);
    if (series === undefined) {
      wrong.push(`metric ${name} is not in the table`);
      continue;
    }
    for (const label of series.labels) carried.add(label);
    for (const label of labels) if (!series.labels.has(label)) wrong.push(`${name} has no label ${label}`);
  }
  if (found.length === 0) wrong.push('no metric');
  const groupings = [...expr.matchAll(/\b(?:by|on|group_left)\s*\(([^)]*)\)/g)].map((match) => match[1]!);
  for (const label of groupings.flatMap((list) => list.split(',').map((part) => part.trim()))) {
    if (label !== '' && !carried.has(label)) wrong.push(`no metric here has label ${label}`);
  }
  const rest = expr
    .replace(/[\w:]+\{[^}]*\}/g, '')
    .replace(/\b(by|on|group_left)\s*\([^)]*\)/g, '$1')
    .replace(/\[[^\]]*\]/g, '');
  for (const [word] of rest.matchAll(/[A-Za-z_:][\w:]*/g)) {
    if (!WORDS.includes(word)) wrong.push(`unexpected ${word}`);
  }
  return wrong;
}

test('every metric and label of every panel is in the metric table', () => {
  let count = 0;
  for (const { where, target } of targets()) {
    assert.deepEqual(faults(target.expr), [], `${where}: ${target.expr}`);
    count++;
  }
  assert.ok(count > 50, `only ${count} targets were found`);
});

test('so is that of every annotation and variable', () => {
  for (const [file, dashboard] of dashboards()) {
    for (const { expr } of dashboard.annotations.list) assert.deepEqual(faults(expr), [], `${file}: ${expr}`);
    for (const { query, type, name } of dashboard.templating.list) {
      if (type !== 'query') continue;
      const text = typeof query === 'string' ? query : query.query;
      const parts = /^label_values\(([a-z_]+)(\{.*\})?, ([a-z_]+)\)$/.exec(text);
      assert.ok(parts !== null, `${file}: variable ${name} has the query ${text}`);
      assert.deepEqual(
        faults(`max by (${parts[3]}) (${parts[1]}${parts[2] ?? '{}'})`),
        [],
        `${file}: ${text}`,
      );
    }
  }
});

test('a wrong name, label or grouping is found', () => {
  assert.deepEqual(faults('rate(task_run_total{job="a"}[1m])'), [
    'metric task_run_total is not in the table',
  ]);
  assert.deepEqual(faults('rate(task_runs_total{task="a"}[1m])'), ['task_runs_total has no label task']);
  assert.deepEqual(faults('sum by (cpu_mode) (task_active{job="a"})'), ['no metric here has label cpu_mode']);
  assert.deepEqual(faults('task_active{job="a"} / task_active_total'), ['unexpected task_active_total']);
});
