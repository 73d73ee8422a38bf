import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { blockMarks } from '../../../src/agent/blocks/marks.ts';
import { compile } from '../../../src/promql/promql.ts';
import { loadRuleFiles, parseRuleFile } from '../../../src/rules/load.ts';

const SHIPPED = resolve(import.meta.dirname, '../../../rules/*.yaml');
const METRIC = 'task_event_loop_blocked_seconds';
const marks = (text: string, isSet = false) =>
  blockMarks(parseRuleFile(text, 'r.yaml', compile).groups, { threshold: 1000, isSet });

const rules = (...exprs: string[]) => `groups:
  - name: g
    rules:
      - {record: 'taskwarden:threshold:two', expr: vector(2)}
      - {record: three, expr: '3'}
      - {record: computed, expr: max(task_active)}
${exprs.map((expr) => `      - {alert: A, expr: '${expr}', for: 10s}\n`).join('')}`;

test('numbers, and thresholds that are numbers, with `for` after each', () => {
  assert.deepEqual(marks(rules(`${METRIC} > 0.2`)), [200, 1000, 10_200]);
  assert.deepEqual(marks(rules(`max(${METRIC}) > scalar(taskwarden:threshold:two)`)), [1000, 2000, 12_000]);
  assert.deepEqual(marks(rules(`scalar(three) < ${METRIC}`)), [1000, 3000, 13_000]);
  assert.deepEqual(marks(rules(`${METRIC} > scalar(computed)`, 'task_active > 4')), [1000]);
  assert.deepEqual(marks(rules(`${METRIC} > 0.2`), true), [1000, 10_200]);
});

test('those of the shipped rules', () => {
  const { groups } = loadRuleFiles([SHIPPED], compile);
  assert.deepEqual(blockMarks(groups, { threshold: 1000, isSet: false }), [1000, 30_000]);
});

test('the rule of docs/rules.md is looked at as soon as it says', () => {
  const docs = readFileSync(resolve(import.meta.dirname, '../../../docs/rules.md'), 'utf8');
  const file = /<!-- block-rule -->\n```yaml\n([^`]*)```/.exec(docs)?.[1];
  assert.deepEqual(marks(file!), [200, 1000]);
  assert.deepEqual(marks(file!, true), [1000], 'a threshold that was set is the least');
});
