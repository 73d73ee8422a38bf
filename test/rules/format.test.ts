import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { parse } from '../../src/promql/parser.ts';
import { prettify } from '../../src/promql/print.ts';
import { formatRuleFile } from '../../src/rules/format.ts';
import { readRuleNodes } from '../../src/rules/rule-nodes.ts';
import { Expressions } from '../promql/fuzz/expressions.ts';
import { Random } from '../promql/fuzz/random.ts';

const LONG =
  'sum by(job)(rate(task_runs_total{task_outcome="failure",task_name!="x"}[5m])) / on(job) sum by (job) (task_active)';

const BEFORE = `# about the file
groups:
  - name: g   # about the group
    rules:
      # about A
      - alert: A
        expr: |  # about the expression
          up
            > 1


        for: 1m
      - alert: B # tail
        expr: &b >-
          ${LONG}
        # between
        labels: {a: b}
      - {alert: C, expr: 'up{ a="it''s" }  > 1', for: 0s}
      - {alert: D, expr: up>1, for: 0s}
      - alert: E
        expr: sum(up)
          > 1
        for:    1m
      - {alert: F, expr: *b}
      - alert: G
        expr: |
          # why
          up > 1
      - alert: H
        expr: up{a="#"}==1
      - expr: '{__name__="x"}'
        record: "r"
      - record: s
        expr: "-topk(2, ${LONG.replaceAll('"', "'")})"
`;

const AFTER = `# about the file
groups:
  - name: g   # about the group
    rules:
      # about A
      - alert: A
        expr: up > 1 # about the expression


        for: 1m
      - alert: B # tail
        expr: &b |2
            sum by (job) (rate(task_runs_total{task_name!="x",task_outcome="failure"}[5m]))
          / on (job)
            sum by (job) (task_active)
        # between
        labels: {a: b}
      - {alert: C, expr: 'up{a="it''s"} > 1', for: 0s}
      - {alert: D, expr: up > 1, for: 0s}
      - alert: E
        expr: sum(up) > 1
        for:    1m
      - {alert: F, expr: *b}
      - alert: G
        expr: |
          # why
          up > 1
      - alert: H
        expr: up{a="#"} == 1
      - expr: '{__name__="x"}'
        record: "r"
      - record: s
        expr: |
          -topk(
            2,
              sum by (job) (rate(task_runs_total{task_name!="x",task_outcome="failure"}[5m]))
            / on (job)
              sum by (job) (task_active)
          )
`;

test('expressions change, and nothing else does', () => {
  assert.deepEqual(formatRuleFile(BEFORE, 'a.yaml'), { text: AFTER, kept: [{ line: 26, column: 15 }] });
  assert.equal(formatRuleFile(AFTER, 'a.yaml').text, AFTER);
});

test('computed durations stay as they are', () => {
  const file = (expr: string) => `groups:\n- name: g\n  rules:\n  - record: r\n    expr: ${expr}\n`;
  for (const expr of [
    'rate(x[5m*2])',
    'x  offset  (5m)',
    'x offset -(5m)',
    'max_over_time(x[1h:(1m)])',
    'rate(x[5m]) # y',
  ])
    assert.equal(formatRuleFile(file(`|\n      ${expr}`), 'a.yaml').kept.length, 1, expr);
  for (const expr of ['x offset  -5m', 'x[1h]  * 2', '(x)  * 2', 'max_over_time(x[1h:])', 'x{a="[5m*2]#"}'])
    assert.equal(formatRuleFile(file(expr), 'a.yaml').kept.length, 0, expr);
});

test('other line ends and a byte order mark stay', () => {
  const windows = (text: string) => `\uFEFF${text.replaceAll('\n', '\r\n')}`;
  const { text } = formatRuleFile(windows(BEFORE), 'a.yaml');
  assert.equal(text, windows(AFTER));
});

test('a file without end of line', () => {
  const file = (expr: string) => `groups:\n- name: g\n  rules:\n  - record: r\n    expr: ${expr}`;
  assert.equal(formatRuleFile(file('up+1'), 'a.yaml').text, file('up + 1'));
  assert.equal(formatRuleFile(file('|\n      up+1'), 'a.yaml').text, file('up + 1\n'));
  const [first, ...rest] = prettify(parse(LONG)).split('\n');
  const block = [first, ...rest].map((line) => `      ${line}`).join('\n');
  assert.equal(formatRuleFile(file(LONG), 'a.yaml').text, file(`|2\n${block}`));
});

test('random expressions in every way to write a text: laid out as Prometheus does, and stable', () => {
  const fuzzer = new Expressions(new Random(7), true);
  const styles = ['PLAIN', 'BLOCK_LITERAL', 'BLOCK_FOLDED', 'QUOTE_DOUBLE', 'QUOTE_SINGLE'] as const;
  let checked = 0;
  for (const style of styles) {
    for (let at = 0; at < 40; at++) {
      const expr = fuzzer.next();
      if (!parses(expr)) continue;
      const rules = [{ record: 'r', expr, labels: { a: 'b' } }];
      const text = stringify(
        { groups: [{ name: 'g', rules }] },
        { defaultStringType: style, defaultKeyType: 'PLAIN' },
      );
      const formatted = formatRuleFile(text, 'a.yaml');
      const [rule] = readRuleNodes(formatted.text, 'a.yaml').groups[0]!.rules;
      assert.equal(rule!.expr.replace(/\n$/, ''), prettify(parse(expr)), text);
      assert.equal(formatRuleFile(formatted.text, 'a.yaml').text, formatted.text);
      checked++;
    }
  }
  assert.ok(checked > 150);
});

test('the shipped rules can be laid out', () => {
  const folder = resolve(import.meta.dirname, '../../rules');
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.yaml'))) {
    const { text } = formatRuleFile(readFileSync(join(folder, file), 'utf8'), file);
    assert.equal(formatRuleFile(text, file).text, text, file);
  }
});

function parses(expr: string): boolean {
  try {
    return parse(expr) !== undefined;
  } catch {
    return false;
  }
}
