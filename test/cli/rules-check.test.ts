import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCommand } from '../../src/cli/commands.ts';
import type { CheckedFile } from '../../src/cli/rules-check.ts';
import { folder, world } from './fixture.ts';

const rule = (expr: string, at: number) =>
  `      - alert: A${at}\n        expr: ${expr}\n        labels: {severity: info}\n        annotations: {summary: s}\n`;
const file = (...exprs: string[]) => `groups:\n  - name: g\n    rules:\n${exprs.map(rule).join('')}`;

async function check(files: Record<string, string>, ...args: string[]) {
  const { io, stdout, stderr } = world(folder(files));
  const code = await runCommand(['rules', 'check', ...args], io);
  return { code, stdout: stdout(), stderr: stderr() };
}

test('good files are counted', async () => {
  const files = { 'r/a.yaml': file('up', 'up == 0'), 'r/b.yaml': file('up') };
  assert.deepEqual(await check(files, 'r/*.yaml'), {
    ...{ code: 0, stderr: '' },
    stdout: 'r/a.yaml: 2 rules\nr/b.yaml: 1 rule',
  });
});

test('every error of every file has file, line and column, and shows its place', async () => {
  const { code, stderr } = await check(
    { 'a.yaml': file('up +', 'up', 'sum(up'), 'b.yaml': 'groups: 5\n', 'c.yaml': file('up') },
    ...['a.yaml', 'b.yaml', 'c.yaml'],
  );
  assert.equal(code, 1);
  const lines = stderr.split('\n');
  assert.match(lines[0]!, /^a\.yaml:5:19: group "g", alert "A0": parse error: unexpected end of input/);
  assert.deepEqual(lines.slice(1, 3), [`    ${' '.repeat(8)}expr: up +`, `    ${' '.repeat(18)}^`]);
  assert.match(lines[3]!, /^a\.yaml:13:\d+: .*unclosed left parenthesis/);
  assert.match(stderr, /^b\.yaml:1:9: .*\n {4}groups: 5\n {12}\^$/m);
});

test('a file that is not there and a glob that finds none', async () => {
  const { code, stderr } = await check({}, 'gone.yaml', 'none/*.yaml');
  assert.equal(code, 1);
  assert.match(stderr, /^gone\.yaml: cannot be read: no such file$/m);
  assert.match(stderr, /^none\/\*\.yaml: no file matches$/m);
});

test('warnings do not fail, unless asked', async () => {
  const files = { 'a.yaml': file('rate(task_runs_total[10s]) > 1') };
  const told =
    'a.yaml:5:20: warning: the range of 10s is shorter than 4 × the step of 5s: let it be 20s or more [window]\n' +
    `    ${' '.repeat(8)}expr: rate(task_runs_total[10s]) > 1\n    ${' '.repeat(19)}^`;
  const stdout = 'a.yaml: 1 rule, 1 warning';
  assert.deepEqual(await check(files, 'a.yaml'), { code: 0, stdout, stderr: told });
  assert.deepEqual(await check(files, '--lint-fatal', 'a.yaml'), { code: 1, stdout, stderr: told });
  const clean = { code: 0, stdout: 'a.yaml: 1 rule', stderr: '' };
  assert.deepEqual(await check(files, '--lint-fatal', '--lint', 'none', 'a.yaml'), clean);
  assert.deepEqual(await check(files, '--lint', 'grouping,alert-fields', 'a.yaml'), clean);
  assert.deepEqual(await check(files, '--step', '2500ms', 'a.yaml'), clean);
  const configured = { ...files, 'taskwarden.yaml': 'store: {step: 2s}\n' };
  assert.deepEqual(await check(configured, 'a.yaml'), clean);
});

test('the oldest Prometheus', async () => {
  const files = { 'a.yaml': file('up').replace('rules:', 'query_offset: 1m\n    rules:') };
  assert.equal((await check(files, 'a.yaml')).stderr, '');
  const { stderr } = await check(files, '--min-prometheus', 'v2.42.0', 'a.yaml');
  assert.match(stderr, /^a\.yaml:3:5: warning: "query_offset" of a group needs Prometheus 2\.53, not 2\.42/);
  assert.equal((await check(files, '--min-prometheus', '2.53', 'a.yaml')).stderr, '');
});

test('--json gives one line for each file', async () => {
  const files = { 'a.yaml': file('up', 'up +'), 'b.yaml': file('upp') };
  const { code, stdout, stderr } = await check(files, '--json', '*.yaml');
  assert.equal(code, 1);
  assert.equal(stderr, '');
  const [a, b] = stdout.split('\n').map((line) => JSON.parse(line) as CheckedFile);
  assert.equal(a?.errors.length, 1);
  assert.deepEqual(
    [a?.errors[0]?.code, a?.errors[0]?.line, a?.errors[0]?.column],
    ['TASKWARDEN_PROMQL', 9, 19],
  );
  const message = 'neither the agent nor a rule makes a metric "upp" (did you mean "up"?)';
  const warnings = [{ lint: 'unknown-metric', message, line: 5, column: 15 }];
  assert.deepEqual(b, { file: 'b.yaml', rules: 1, errors: [], warnings });
});

test('long lines are cut around the place, and tabs stay', async () => {
  const long = `'${'up + '.repeat(60)}nope(up)${' + up'.repeat(60)}'`;
  const { stderr } = await check({ 'a.yaml': file(long) }, 'a.yaml');
  const [, shown = '', caret = ''] = stderr.split('\n');
  assert.ok(shown.length <= 120);
  assert.equal(shown.slice(caret.indexOf('^')).slice(0, 4), 'nope');
});
