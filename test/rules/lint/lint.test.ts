import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { LINTS, type LintName } from '../../../src/rules/lint/finding.ts';
import { lintRules } from '../../../src/rules/lint/lint.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const ALL = new Set(Object.keys(LINTS) as LintName[]);

/** Findings as `line:column lint: message`. */
function lint(text: string, more: { minPrometheus?: string; stepMs?: number; besides?: string } = {}) {
  const { besides, ...options } = more;
  return lintRules([{ file: 'a.yaml', text }], {
    ...{ lints: ALL, stepMs: 5000 },
    ...options,
    besides: besides === undefined ? [] : [{ file: 'b.yaml', text: besides }],
  }).map(({ lint, message, position }) => `${position.line}:${position.column} ${lint}: ${message}`);
}

const group = (rules: string, more = '') => `groups:\n- name: g\n${more}  rules:\n${rules}`;
const alert = (expr: string, summary = 'something') =>
  `  - alert: A\n    expr: ${expr}\n    labels: {severity: info}\n    annotations: {summary: '${summary}'}\n`;
const record = (name: string, expr: string) => `  - record: ${name}\n    expr: ${expr}\n`;

/** What is found about an alert with this expression, without its place. */
const about = (expr: string, summary?: string) => lint(group(alert(expr, summary)));

test('the shipped rules are clean, as the agent and as Prometheus 2.42 gets them', () => {
  const folder = join(ROOT, 'rules');
  const sources = readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => ({ file, text: readFileSync(join(folder, file), 'utf8') }));
  const options = { lints: ALL, minPrometheus: '2.42' };
  assert.deepEqual(lintRules(sources, { ...options, stepMs: 5000 }), []);
  assert.deepEqual(lintRules(sources, { ...options, stepMs: 10_000 }), [], 'the export interval');
});

test('window: four steps of the store, or of the group that records', () => {
  const short = 'the range of 19s is shorter than 4 × the step of 5s: let it be 20s or more';
  assert.deepEqual(about('rate(task_runs_total[19s]) > 1'), [`5:16 window: ${short}`]);
  assert.deepEqual(about('rate(task_runs_total[20s]) > 1'), []);
  assert.deepEqual(lint(group(alert('delta(task_active[1m]) > 1')), { stepMs: 15_001 }).length, 1);
  const slow = group(
    `${record('a:b', 'task_active')}${alert('max_over_time(a:b[1m]) > 1')}`,
    '  interval: 30s\n',
  );
  assert.deepEqual(lint(slow), [
    '8:25 window: the range of 1m is shorter than 4 × the step of 30s: let it be 2m or more',
  ]);
});

test('grouping: by what is not named', () => {
  const told = (word: string, instead: string) =>
    `grouping: "${word}" goes by labels that only a collector may add: name those that count, with "${instead}"`;
  assert.deepEqual(about('sum without (instance) (task_active) > 1'), [`5:11 ${told('without', 'by')}`]);
  assert.deepEqual(about('max(sum(task_active) without (job)) > 1'), [`5:15 ${told('without', 'by')}`]);
  assert.deepEqual(about('task_active / ignoring (le) task_active > 1'), [`5:23 ${told('ignoring', 'on')}`]);
  assert.deepEqual(about('sum without (instance) (up) > 1'), [], 'not ours');
  assert.deepEqual(about('sum by (job) (task_active) > on (job) sum by (job) (task_active)'), []);
});

test('unknown-metric: with what may have been meant', () => {
  const unknown = (metric: string, hint = '') =>
    `5:11 unknown-metric: neither the agent nor a rule makes a metric "${metric}"${hint}`;
  const cases: [expr: string, metric: string, hint?: string][] = [
    ['task_activ > 1', 'task_activ', ' (did you mean "task_active"?)'],
    ['task_active_oldest > 1', 'task_active_oldest', ' (did you mean "task_active_oldest_seconds"?)'],
    ['task_runs > 1', 'task_runs', ' (did you mean "task_runs_total"?)'],
    [`'{"task.cpu.time"} > 1'`, 'task.cpu.time', ' (did you mean "task_cpu_time_seconds_total"?)'],
    ['entirely_other_metric_of_others > 1', 'entirely_other_metric_of_others'],
  ];
  for (const [expr, metric, hint] of cases) {
    const [first, ...more] = about(expr);
    assert.equal(first?.replace('5:12', '5:11'), unknown(metric, hint));
    assert.deepEqual(more, []);
  }
  for (const known of ['up == 0', 'ALERTS{alertname="B"} > 0', 'target_info > 0', '{__name__=~"task.*"} > 1'])
    assert.deepEqual(about(known), [], known);
  assert.deepEqual(lint(group(`${record('mine', 'task_active')}${alert('mine > 1')}`)), []);
  assert.deepEqual(lint(group(alert('theirs > 1')), { besides: group(record('theirs', 'up')) }), []);
});

test('unknown-label: matchers, groupings, matching and templates', () => {
  const told = (place: string, what: string, label: string, hint = '') => [
    `${place} unknown-label: ${what} has no label "${label}"${hint}`,
  ];
  const hint = ' (did you mean "task_name"?)';
  assert.deepEqual(about('task_active{taskname="x"} > 1'), told('5:11', '"task_active"', 'taskname', hint));
  assert.deepEqual(
    about('sum by (job, task_nam) (task_active) > 1'),
    told('5:11', 'what "sum" takes together', 'task_nam', hint),
  );
  assert.deepEqual(
    about('task_active * on (job, task_name) sum by (job) (task_active) > 1'),
    told('5:23', 'the right side of "*"', 'task_name'),
  );
  assert.deepEqual(
    about('task_active * on (job) group_left (colour) sum by (job) (task_active) > 1'),
    told('5:23', 'the "one" side of "*"', 'colour'),
  );
  assert.deepEqual(
    about('sum by (job) (task_active) > 1', 'of {{ $labels.task_name }}'),
    told('7:35', 'the result of the expression', 'task_name'),
  );
});

test('labels that expressions make, keep and drop', () => {
  const fine: [expr: string, label: string][] = [
    ['task_active > 1', 'task_name'],
    ['-(task_active) < 1', 'task_name'],
    ['rate(task_runs_total[5m]) > 1', 'task_outcome'],
    ['max_over_time(sum by (job) (task_active)[5m:]) > 1', 'job'],
    ['topk(3, task_active) > 1', 'task_name'],
    ['label_replace(task_active, "x", "$1", "job", "(.*)") > 1', 'x'],
    ['label_join(task_active, "x", "-", "job") > 1', 'x'],
    ['count_values("x", task_active) > 1', 'x'],
    ['absent(task_active{queue="x"})'.replace('queue', 'job'), 'job'],
    ['sum by (job) (task_active) > 1 or sum by (instance) (task_active) > 1', 'instance'],
    ['task_active * on (job) group_left () sum by (job) (task_active) > 1', 'task_name'],
    ['sum by (job) (task_active) * on (job) group_right () task_active > 1', 'task_name'],
    ['histogram_quantile(0.9, rate(task_wait_duration_seconds_bucket[5m])) > 1', 'task_retry'],
    ['time() - task_active > 1', 'task_name'],
    ['target_info > 1', 'anything'],
  ];
  const wrong: [expr: string, label: string][] = [
    ['histogram_quantile(0.9, rate(task_wait_duration_seconds_bucket[5m])) > 1', 'le'],
    ['task_active * on (job) sum by (job) (task_active) > 1', 'task_name'],
    ['sum by (job) (task_active) > 1 and on (job) task_active', 'task_name'],
    ['absent(task_active{job="x"})', 'task_name'],
    ['vector(1)', 'job'],
    ['scalar(task_active) > bool 1', 'job'],
    ['count_values("x", task_active) > 1', 'job'],
  ];
  for (const [expr, label] of fine) assert.deepEqual(about(`'${expr}'`, `{{ $labels.${label} }}`), [], expr);
  for (const [expr, label] of wrong) {
    const found = about(`'${expr}'`, `{{ $labels.${label} }}`);
    assert.equal(found.length, 1, expr);
    assert.match(found[0]!, /^7:\d+ unknown-label: the result of the expression has no label/, expr);
  }
});

test('labels of what rules record, in a circle too', () => {
  const recorded = `  - record: a:b\n    expr: sum by (job) (task_active)\n    labels: {kind: x}\n`;
  const use = (label: string) =>
    lint(group(`${recorded}${alert(`a:b{${label}="y"} > 1`)}`, '  labels: {team: t}\n'));
  for (const label of ['job', 'kind', 'team']) assert.deepEqual(use(label), [], label);
  assert.deepEqual(use('task_name'), ['9:11 unknown-label: "a:b" has no label "task_name"']);
  assert.deepEqual(lint(group(`${record('x:y', 'y:x')}${record('y:x', 'x:y{any="z"}')}`)), []);
});

test('idle-threshold: recorded, and in no expression of these files or the shipped ones', () => {
  const threshold = 'taskwarden:threshold:busy';
  const text = group(record(threshold, 'vector(1)'));
  const found = [`4:13 idle-threshold: no rule asks for the threshold "${threshold}"`];
  assert.deepEqual(lint(text), found);
  assert.deepEqual(lint(text, { besides: group(alert(`task_active > scalar(${threshold})`)) }), []);
  assert.deepEqual(lint(text, { besides: group(alert(`task_active > scalar(${threshold}_more)`)) }), found);
});

test('alert-fields: severity and summary', () => {
  const bare = '  - alert: A\n    expr: up == 0\n';
  assert.deepEqual(lint(group(bare)), [
    '4:12 alert-fields: alert "A" has no label "severity": it counts as a warning then, and cannot be routed by it',
    '4:12 alert-fields: alert "A" has no annotation "summary", the line that people are sent',
  ]);
  assert.equal(lint(group(bare, '  labels: {severity: info}\n')).length, 1, 'the label of the group counts');
  assert.equal(lint(group(`${bare}    annotations: {summary: ' '}\n`)).length, 2, 'a blank does not');
});

test('duplicate-rules: as promtool has it', () => {
  const twice = `${record('a', 'up')}${record('a', 'task_active')}`;
  assert.deepEqual(lint(group(twice)), [
    '6:13 duplicate-rules: "a" with the same labels stands at line 4 already',
  ]);
  assert.deepEqual(lint(group(`${twice}    labels: {x: y}\n`)), []);
});

test('min-prometheus: what is new in the format, in PromQL and in templates', () => {
  const needs: [text: string, version: string, at: string][] = [
    [group(alert('up == 0'), '  labels: {team: x}\n'), '3.0', '3:3'],
    [group(alert('up == 0'), '  query_offset: 1m\n'), '2.53', '3:3'],
    [group(alert('up == 0'), '  limit: 10\n'), '2.31', '3:3'],
    [group(`${alert('up == 0')}    keep_firing_for: 1m\n`), '2.42', '8:5'],
    [group(alert('first_over_time(up[5m]) == 0')), '3.14', '5:11'],
    [group(alert('present_over_time(up[5m]) == 0')), '2.29', '5:11'],
    [group(alert('up atan2 1 > 0')), '2.31', '5:14'],
    [group(alert('up @ 5 == 0')), '2.33', '5:11'],
    [group(alert('up offset -5m == 0')), '2.33', '5:11'],
    [group(alert('rate(task_runs_total[300]) > 0')), '2.54', '5:32'],
    [group(alert('up offset 300 == 0')), '2.54', '5:21'],
    [group(alert('rate(task_runs_total[5m * 2]) > 0')), '3.14', '5:35'],
    [group(alert('up offset -(5m) == 0')), '3.14', '5:22'],
    [group(alert('task_active_oldest_seconds > 10m')), '2.54', '5:40'],
    [group(alert('up > 1_000')), '2.54', '5:16'],
    [group(alert(`'{"up", job="x"} == 0'`)), '3.0', '5:13'],
    [group(alert(`'up{"job"="x"} == 0'`)), '3.0', '5:15'],
    [group(alert(`'sum by ("a.b") (up) == 0'`)), '3.0', '5:12'],
    [group(alert('up == 0', '{{ now }}')), '3.6', '7:32'],
    [group(alert('up == 0', 'since {{ $value | toTime }}')), '2.38', '7:47'],
  ];
  for (const [text, version, at] of needs) {
    const [major = 0, minor = 0] = version.split('.').map(Number);
    const before = minor > 0 ? `${major}.${minor - 1}` : '2.55';
    assert.deepEqual(lint(text, { minPrometheus: version }), [], text);
    const [found = '', ...more] = lint(text, { minPrometheus: before });
    assert.deepEqual(more, [], text);
    assert.equal(found.slice(0, found.indexOf(' ')), at, `${text}${found}`);
    assert.match(found, new RegExp(`min-prometheus: .* needs Prometheus ${version}, not ${before}$`));
  }
  const old = alert('label_replace(up, "a", "1_0", "b", "[300]") > 300', '{{ "now" }} {{ $labels.now }}');
  assert.deepEqual(lint(group(old), { minPrometheus: '2.0' }), []);
  assert.deepEqual(lint(needs[0]![0]), [], 'nothing is told when no version is given');
});

test('what an alias brings in is told where it stands, once', () => {
  const text = group(
    '  - &a {record: x, expr: "rate(task_runs_total[1s])"}\n  - {<<: *a, record: y}\n  - {<<: *a, record: z}\n',
  );
  assert.deepEqual(
    lint(text).map((found) => found.slice(0, found.indexOf(':', 4))),
    ['4:32 window'],
  );
});
