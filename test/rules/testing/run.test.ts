import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runRuleTests } from '../../../src/rules/testing/run.ts';
import { parseValues } from '../../../src/rules/testing/values.ts';

const SHIPPED = resolve(import.meta.dirname, '../../../rules/tests');

const RULES = `groups:
- name: first
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
- name: second
  rules:
  - alert: Down
    expr: job:up:sum < 2
    for: 1m
    labels: {severity: page}
    annotations: {summary: '{{ $labels.job }} has {{ $value }} in {{ $externalLabels.dc }}'}
`;

const TEST = `rule_files: [rules.yaml]
evaluation_interval: 30s
group_eval_order: [first, second]
tests:
- name: one down
  interval: 30s
  external_labels: {dc: eu}
  input_series:
  - {series: 'up{job="a", i="1"}', values: '1x10'}
  - {series: 'up{job="a", i="2"}', values: '1 1 0x8'}
  - {series: 'up{job="b"}', values: '2 _ stale 2x7'}
  alert_rule_test:
  - eval_time: 1m30s
    alertname: Down
  - eval_time: 2m
    alertname: Down
    exp_alerts:
    - exp_labels: {job: a, severity: page}
      exp_annotations: {summary: a has 1 in eu}
  promql_expr_test:
  - expr: job:up:sum
    eval_time: 1m
    exp_samples: [{labels: 'job:up:sum{job="a"}', value: 1}]
  - expr: ALERTS{alertstate="firing"}
    eval_time: 2m
    exp_samples: [{labels: 'ALERTS{alertname="Down", alertstate="firing", job="a", severity="page"}', value: 1}]
  - expr: scalar(sum(up)) / 0
    eval_time: 0s
    exp_samples: [{value: .Inf}]
`;

describe('tests of rules', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'taskwarden-rule-tests-'));
    writeFileSync(join(folder, 'rules.yaml'), RULES);
  });
  after(() => rmSync(folder, { recursive: true }));

  function run(text: string) {
    writeFileSync(join(folder, 'test.yaml'), text);
    const { cases, failures } = runRuleTests('test.yaml', { cwd: folder });
    const told = failures.map(({ position, message }) => `${position?.line ?? '-'}: ${message}`);
    return { cases, told, verdict: failures.length === 0 };
  }

  test('all hold', () => assert.deepEqual(run(TEST), { cases: 5, told: [], verdict: true }));

  test('other start, no name, no interval', () => {
    const text = `tests:
- start_timestamp: 2024-01-01T00:00:00Z
  input_series: [{series: x, values: 10+10x15}]
  promql_expr_test:
  - {expr: x @ 1704067320, eval_time: 5m, exp_samples: [{labels: x, value: 30}]}
  - {expr: time(), eval_time: 5m, exp_samples: [{value: 1704067500}]}
`;
    assert.deepEqual(run(text), { cases: 2, told: [], verdict: true });
  });

  test('groups run in the order that is asked for', () => {
    const swapped = TEST.replace('[first, second]', '[second, first]');
    assert.match(run(swapped).told[0] ?? '', /^15: {5}name: one down,\n {4}alertname: Down, time: 2m/);
  });

  test('neighbouring floats are equal when asked for', () => {
    const text = (values: string, fuzzy: boolean) => `fuzzy_compare: ${fuzzy}
tests:
- input_series: [{series: x, values: ${values}}]
  promql_expr_test: [{expr: x, exp_samples: [{labels: x, value: 3}]}]
`;
    assert.equal(run(text('3.0000000000000004', true)).verdict, true);
    assert.equal(run(text('3.0000000000000004', false)).verdict, false);
    assert.equal(run(text('3.0000000000000013', true)).verdict, false);
  });

  const broken: [string, string, string, RegExp][] = [
    [
      'a label',
      'job: a, severity',
      'job: c, severity',
      /^15: {5}name: one down,\n {4}alertname: Down, time: 2m, \n {8}exp:\[\n {12}0:\n {14}Labels:\{alertname="Down", job="c", severity="page"\}/,
    ],
    ['an annotation', 'a has 1 in eu', 'a has 2', /^15: [\s\S]*Annotations:\{summary="a has 2"\}/],
    ['too early', 'eval_time: 1m30s', 'eval_time: 2m', /^13: [\s\S]*\n {8}exp:\[\], \n {8}got:\[\n/],
    [
      'a value',
      'value: 1}]\n  - expr: ALERTS',
      'value: 2}]\n  - expr: ALERTS',
      /^21: {5}expr: "job:up:sum", time: 1m,\n {8}exp: \{__name__="job:up:sum", job="a"\} 2E\+00\n {8}got: /,
    ],
    [
      'a missing sample',
      '[{labels: \'job:up:sum{job="a"}\', value: 1}]',
      '[]',
      /^21: {5}expr: "job:up:sum", time: 1m,\n {8}exp: nil\n {8}got: /,
    ],
    [
      'an unknown key',
      'alertname: Down',
      'alert: Down',
      /^14: test\.yaml:14:5: an alert case: unknown key "alert"/,
    ],
    ['values', '1x10', '1y10', /^9: test\.yaml:9:44: an input series: values: "1y10" is no value/],
    ['a series', 'up{job="b"}', 'sum(up)', /^11: {5}"sum\(up\)" is no series$/],
    ['a time', 'eval_time: 1m30s', 'eval_time: soon', /^13: .*"soon" is not a duration/],
    [
      'an expression',
      'expr: job:up:sum',
      'expr: job:up:sum(',
      /^21: {5}expr: "job:up:sum\(", time: 1m, err: 1:\d+: parse error/,
    ],
    [
      'a group named twice',
      '[first, second]',
      '[first, first]',
      /^3: .*group name repeated in evaluation order: first$/,
    ],
    ['a number', 'value: 1}]\n  - expr: ALERTS', 'value: "1"}]\n  - expr: ALERTS', /"1" is not a number/],
    [
      'a native histogram',
      'value: 1}]\n  - expr: ALERTS',
      'histogram: "{{schema:0}}"}]\n  - expr: ALERTS',
      /^23: .*native histograms are not supported/,
    ],
    ['native values', '1x10', '{{schema:0 count:1}}', /^9: .*native histograms are not supported/],
  ];
  for (const [what, from, to, told] of broken) {
    test(`what does not hold is told with its line: ${what}`, () => {
      const text = TEST.replace(from, to);
      assert.notEqual(text, TEST);
      assert.match(run(text).told[0] ?? 'nothing', told);
    });
  }

  test('a rule that fails ends its test', () => {
    writeFileSync(
      join(folder, 'double.yaml'),
      RULES.replace('labels: {severity: page}', 'labels: {job: ""}'),
    );
    const text = TEST.replace('rules.yaml', 'double.yaml')
      .replace("'up{job=\"b\"}', values: '2 _ stale 2x7'", "'up{job=\"b\"}', values: '1x10'")
      .replace('1x10', '0x10');
    assert.match(
      run(text).told[0] ?? '',
      /^-: {5}rule: Down, time: 0s, err: vector contains metrics with the same labelset/,
    );
  });

  test('endless tests are refused', () => {
    assert.match(
      run('tests:\n- alert_rule_test: [{eval_time: 200y, alertname: x}]\n').told[0] ?? '',
      /more than 1000000 ticks/,
    );
    assert.match(
      run('tests:\n- input_series: [{series: x, values: 1x999999999}]\n').told[0] ?? '',
      /more than 1000000 values/,
    );
  });
});

for (const file of readdirSync(SHIPPED)) {
  test(`rules/tests/${file} holds`, () => {
    const { cases, failures } = runRuleTests(join(SHIPPED, file));
    assert.deepEqual(failures, []);
    assert.ok(cases > 0);
  });
}

test('values of a series', () => {
  const blank = undefined;
  const cases: Record<string, unknown[]> = {
    '1 -2.5 1e3': [1, -2.5, 1000],
    '_ _x2 stale 1': [blank, blank, blank, 'stale', 1],
    '3x2': [3, 3, 3],
    '0x2': [0, 0, 0],
    '1+2x2 1-2x2': [1, 3, 5, 1, -1, -3],
    '-1+0.5x1': [-1, -0.5],
    'Inf -Inf NaN': [Infinity, -Infinity, Number.NaN],
    '': [],
  };
  for (const [text, values] of Object.entries(cases)) assert.deepEqual(parseValues(text), values, text);
  for (const text of ['x', '1+x2', '{{schema:1}}', '1 + 2x3'])
    assert.throws(() => parseValues(text), /is no value/, text);
});
