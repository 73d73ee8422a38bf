import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../../src/cli/rules-check.ts';
import { promtool3Built } from '../helpers/go-programs.ts';
import { promtoolMissing } from '../rules/promtool.ts';
import { folder, world } from './fixture.ts';

const group = (rules: string, more = '') => `groups:\n- name: g\n${more}  rules:\n${rules}`;
const alert = (expr: string, more = '') => group(`  - alert: A\n    expr: ${expr}\n${more}`);
const record = (name: string, more = '') => group(`  - record: ${name}\n    expr: up\n${more}`);

/** Rule files; promtool says which of them are well formed. */
const FILES: Readonly<Record<string, string>> = {
  empty: '',
  'only a comment': '# nothing\n',
  'no groups': 'groups: []\n',
  'groups are null': 'groups:\n',
  'a group without rules': 'groups: [{name: g}]\n',
  'a group without name': 'groups: [{rules: []}]\n',
  'an empty group name': 'groups: [{name: "", rules: []}]\n',
  'two groups of a name': 'groups: [{name: g}, {name: g}]\n',
  'an unknown key of the file': 'group: []\n',
  'an unknown key of a group': group('', '  intervall: 5s\n'),
  'an unknown key of a rule': alert('up', '    fore: 5m\n'),
  'a key twice': alert('up', '    expr: up\n'),
  'groups as a mapping': 'groups: {name: g}\n',
  'rules as a mapping': 'groups: [{name: g, rules: {alert: A}}]\n',
  'a name as a list': 'groups: [{name: [g]}]\n',
  'a name as a number': 'groups: [{name: 5}]\n',
  'a plain alert': alert('up'),
  'a plain record': record('a:b'),
  'every key': group(
    '  - alert: A\n    expr: up\n    for: 1m\n    labels: {a: b, c: "1"}\n    annotations: {d: "{{ $value }}"}\n',
    '  interval: 1m30s\n  limit: 5\n',
  ),
  'alert and record': group('  - alert: A\n    record: b\n    expr: up\n'),
  'neither alert nor record': group('  - expr: up\n'),
  'an empty alert': group('  - alert: ""\n    expr: up\n'),
  'an alert of null': group('  - alert:\n    expr: up\n'),
  'no expr': group('  - alert: A\n'),
  'an empty expr': alert('""'),
  'a blank expr': alert('" "'),
  'an expr as a number': alert('5'),
  'an expr as a mapping': alert('{a: b}'),
  'broken PromQL': alert('sum(up'),
  'ill-typed PromQL': alert('rate(up)'),
  'an unknown function': alert('nope(up)'),
  'a range vector': alert('up[5m]'),
  'a text': alert(`'"x"'`),
  'a duration of zero': alert('up', '    for: 0\n'),
  'a duration without unit': alert('up', '    for: 5\n'),
  'a duration of another kind': alert('up', '    for: 5 minutes\n'),
  'a negative duration': alert('up', '    for: -5m\n'),
  'a duration in the wrong order': alert('up', '    for: 1m1h\n'),
  'a fraction of a minute': alert('up', '    for: 1.5m\n'),
  'an interval that is none': group('', '  interval: often\n'),
  'a limit that is none': group('', '  limit: many\n'),
  'for in a recording rule': record('a:b', '    for: 1m\n'),
  'annotations in a recording rule': record('a:b', '    annotations: {a: b}\n'),
  'a record with a space': record('a b'),
  'a record with braces': record(`'a{b="c"}'`),
  'a record that begins with a digit': record('1a'),
  'a label that is none': alert('up', '    labels: {"a-b": c}\n'),
  'the label __name__': alert('up', '    labels: {__name__: c}\n'),
  'an annotation that is none': alert('up', '    annotations: {"a.b": c}\n'),
  'a label as a number': alert('up', '    labels: {a: 5}\n'),
  'a label as a boolean': alert('up', '    labels: {a: true}\n'),
  'a label as a list': alert('up', '    labels: {a: [b]}\n'),
  'a label of null': alert('up', '    labels: {a: }\n'),
  'labels as a list': alert('up', '    labels: [a]\n'),
  'a broken template': alert('up', '    annotations: {a: "{{ $value "}\n'),
  'an unknown function of templates': alert('up', '    annotations: {a: "{{ nope }}"}\n'),
  'an unknown variable of templates': alert('up', '    annotations: {a: "{{ $nope }}"}\n'),
  'a template in a label': alert('up', '    labels: {a: "{{ $labels.b }}"}\n'),
  'a broken template in a recording rule': record('a:b', '    labels: {a: "{{ $value "}\n'),
  'every function of templates': alert(
    'up',
    `    annotations: {a: '{{ range query "up" | sortByLabel "x" }}{{ .Labels.a | toUpper }}{{ . | value | humanize }}{{ end }}'}\n`,
  ),
  'an if without end': alert('up', '    annotations: {a: "{{ if $value }}"}\n'),
  aliases: group('  - &a {alert: A, expr: up}\n  - *a\n  - {<<: *a, alert: B}\n'),
  'an alias without anchor': group('  - *a\n'),
  tabs: 'groups:\n\t- name: g\n',
  'an unclosed quote': 'groups: [{name: "g}]\n',
  'a scalar': 'hello\n',
  'duplicate rules': group('  - {alert: A, expr: up}\n  - {alert: A, expr: up > 1}\n'),
  'a quoted name with a dot': alert(`'{"a"} > 1'`),
};

/** What Prometheus 2.42 does not know. */
const FILES_V3: Readonly<Record<string, string>> = {
  'labels of a group': group('  - {alert: A, expr: up}\n', '  labels: {a: b}\n'),
  'a label of a group that is none': group('', '  labels: {__name__: b}\n'),
  query_offset: group('', '  query_offset: 1m\n'),
  keep_firing_for: alert('up', '    keep_firing_for: 1m\n'),
  'keep_firing_for in a recording rule': record('a:b', '    keep_firing_for: 1m\n'),
  'a duration as a number': alert('up > 5m'),
  first_over_time: alert('first_over_time(up[5m])'),
};

const V2 = Object.keys(FILES).filter((name) => name !== 'a quoted name with a dot');

/** Legacy names alone are allowed here, so that a file works with every Prometheus. */
const STRICTER_THAN_V3 = [
  'a label that is none',
  'an annotation that is none',
  'a record with a space',
  'a record that begins with a digit',
];

function ours(names: readonly string[], files: Readonly<Record<string, string>>) {
  const cwd = folder(Object.fromEntries(names.map((name) => [`${name}.yaml`, files[name]!])));
  const verdicts = names.map((name) => {
    const { io } = world(cwd);
    return [name, run(io, ['--lint', 'none', `${name}.yaml`]) === 0] as const;
  });
  return { cwd, verdicts: Object.fromEntries(verdicts) };
}

function theirs(promtool: string, cwd: string, names: readonly string[]) {
  const path = join(cwd, 'output');
  const output = openSync(path, 'w');
  const args = ['check', 'rules', '--lint=none', ...names.map((name) => `${name}.yaml`)];
  spawnSync(promtool, args, { cwd, stdio: ['ignore', output, output] });
  closeSync(output);
  const parts = readFileSync(path, 'utf8')
    .split(/^Checking /m)
    .slice(1);
  return Object.fromEntries(
    parts.map((part) => [part.slice(0, part.indexOf('.yaml\n')), /^ {2}SUCCESS/m.test(part)]),
  );
}

test('promtool of Debian gives the same verdicts', { skip: promtoolMissing() }, () => {
  const { cwd, verdicts } = ours(V2, FILES);
  assert.deepEqual(verdicts, theirs('promtool', cwd, V2));
  const good = Object.values(verdicts).filter(Boolean).length;
  assert.ok(good > 15 && V2.length - good > 30);
});

const promtool3 = promtool3Built();
const skip =
  promtool3 === undefined && 'the promtool of Prometheus 3 is not built (npm run test:slow builds it)';

test('promtool of Prometheus 3 gives the same verdicts', { skip }, () => {
  const all = { ...FILES, ...FILES_V3 };
  const names = Object.keys(all);
  const { cwd, verdicts } = ours(names, all);
  const expected = theirs(promtool3!, cwd, names);
  for (const name of STRICTER_THAN_V3) {
    assert.equal(expected[name], true, name);
    expected[name] = false;
  }
  assert.deepEqual(verdicts, expected);
});
