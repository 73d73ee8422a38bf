import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../src/cli/commands.ts';
import { folder, world } from './fixture.ts';

const RULES =
  'groups: [{name: g, rules: [{alert: Down, expr: up == 0, annotations: {summary: "it < you"}}]}]\n';
const TESTS = `rule_files: [rules.yaml]
tests:
- name: healthy
  interval: 1m
  input_series: [{series: 'up{job="a"}', values: 1x5}]
  alert_rule_test: [{eval_time: 2m, alertname: Down}]
- name: ill
  interval: 1m
  input_series: [{series: 'up{job="a"}', values: 0x5}]
  alert_rule_test:
  - eval_time: 2m
    alertname: Down
    exp_alerts: [{exp_labels: {job: b}, exp_annotations: {summary: it < you}}]
  promql_expr_test:
  - {expr: up, eval_time: 0, exp_samples: [{labels: 'up{job="a"}', value: 2}]}
`;
const FILES = { 'r/rules.yaml': RULES, 'r/a.test.yaml': TESTS, 'r/broken.test.yaml': 'tests: {}\n' };

async function run(...args: string[]) {
  const cwd = folder(FILES);
  const { io, stdout, stderr } = world(cwd);
  const code = await runCommand(['rules', 'test', ...args], io);
  return { code, cwd, stdout: stdout(), stderr: stderr() };
}

const FAILED = `  FAILED:
  r/a.test.yaml:11:5:
    name: ill,
    alertname: Down, time: 2m, 
        exp:[
            0:
              Labels:{alertname="Down", job="b"}
              Annotations:{summary="it < you"}
            ], 
        got:[
            0:
              Labels:{alertname="Down", job="a"}
              Annotations:{summary="it < you"}
            ]
  r/a.test.yaml:15:5:
    expr: "up", time: 0s,
        exp: {__name__="up", job="a"} 2E+00
        got: {__name__="up", job="a"} 0E+00`;

test('what failed is told in the words of promtool, with its place', async () => {
  const { code, stdout, stderr } = await run('r/a.test.yaml');
  assert.deepEqual(
    { code, stdout, stderr },
    {
      ...{ code: 1, stdout: 'Processing test file: r/a.test.yaml\n', stderr: FAILED },
    },
  );
});

test('--run leaves tests out by their names', async () => {
  const fine = { code: 0, stdout: 'Processing test file: r/a.test.yaml\n  SUCCESS\n', stderr: '' };
  const { cwd: _, ...result } = await run('--run', '^heal', 'r/a.test.yaml');
  assert.deepEqual(result, fine);
  assert.equal((await run('--run', '^heal', '--run', 'l$', 'r/a.test.yaml')).code, 1);
  assert.equal((await run('--run', 'nothing', 'r/a.test.yaml')).code, 0);
  const { code, stderr } = await run('--run', '(', 'r/a.test.yaml');
  assert.equal(code, 2);
  assert.match(stderr, /^taskwarden: --run: .*missing closing \)/);
});

test('--diff tells what is missing and what is there instead', async () => {
  const { stderr } = await run('--diff', 'r/a.test.yaml');
  assert.match(
    stderr,
    /time: 2m, \n {8}diff:\n {10}- Labels:\{alertname="Down", job="b"\}\n {12}Annotations:.*\n {10}\+ Labels:\{alertname="Down", job="a"\}/,
  );
  assert.match(stderr, /time: 0s,\n {8}diff:\n {10}- \{.*\} 2E\+00\n {10}\+ \{.*\} 0E\+00$/);
});

test('files that cannot be used', async () => {
  const { code, stderr } = await run('r/broken.test.yaml', 'gone.yaml', '*.none');
  assert.equal(code, 1);
  assert.match(stderr, /^r\/broken\.test\.yaml:1:8: the file: tests must be a list/m);
  assert.match(stderr, /^gone\.yaml: cannot be read: no such file$/m);
  assert.match(stderr, /^\*\.none: no file matches$/m);
});

test('--json and --junit', async () => {
  const { cwd, stdout, stderr } = await run('--json', '--junit', 'out.xml', 'r/*.test.yaml');
  assert.equal(stderr, '');
  const [a, broken] = stdout.split('\n').map((line) => JSON.parse(line));
  assert.deepEqual([a.file, a.cases, a.errors, a.unmatched], ['r/a.test.yaml', 3, [], []]);
  assert.deepEqual(a.tests[0], { name: 'healthy', cases: 1, failures: [] });
  assert.deepEqual(
    a.tests[1].failures.map(({ line }: { line: number }) => line),
    [11, 15],
  );
  assert.equal(broken.errors[0].line, 1);
  const xml = readFileSync(join(cwd, 'out.xml'), 'utf8');
  assert.match(
    xml,
    /^<testsuites><testsuite name="r\/a\.test\.yaml" tests="2" failures="2" errors="0" skipped="0"><testcase name="healthy"><\/testcase><testcase name="ill"><failure>/,
  );
  assert.match(xml, /&#10; {14}Annotations:\{summary=&#34;it &#60; you&#34;\}/);
  assert.match(
    xml,
    /tests="1" failures="0" errors="1" skipped="0"><testcase name="unknown"><error>r\/broken/,
  );
});
