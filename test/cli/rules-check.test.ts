import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CheckedFile, checkRuleFiles } from '../../src/cli/rules-check.ts';
import { TaskwardenError } from '../../src/model/errors.ts';
import { folder, world } from './fixture.ts';

/** Stands for the compiler of PromQL: `bad` is an error at its third character. */
function compile(expr: string): object {
  if (expr === 'bad')
    throw new TaskwardenError('TASKWARDEN_PROMQL', 'this is bad', { position: { line: 1, column: 3 } });
  return {};
}

const rule = (expr: string) => `      - alert: A${expr.length}\n        expr: ${expr}\n`;
const file = (...exprs: string[]) => `groups:\n  - name: g\n    rules:\n${exprs.map(rule).join('')}`;

function check(files: Record<string, string>, patterns: string[], json = false) {
  const { io, stdout, stderr } = world(folder(files));
  const code = checkRuleFiles(io, patterns, { json, compile });
  return { code, stdout: stdout(), stderr: stderr() };
}

test('good files are counted', () => {
  const { code, stdout, stderr } = check({ 'r/a.yaml': file('up', 'up == 0'), 'r/b.yaml': file('up') }, [
    'r/*.yaml',
  ]);
  assert.deepEqual(
    { code, stdout, stderr },
    { code: 0, stdout: 'r/a.yaml: 2 rules\nr/b.yaml: 1 rule', stderr: '' },
  );
});

test('every error of every file has file, line and column', () => {
  const { code, stderr } = check(
    { 'a.yaml': file('bad', 'up', 'bad'), 'b.yaml': 'groups: 5\n', 'c.yaml': file('up') },
    ['a.yaml', 'b.yaml', 'c.yaml'],
  );
  assert.equal(code, 1);
  const lines = stderr.split('\n');
  assert.match(lines[0]!, /^a\.yaml:5:17: .*this is bad/);
  assert.match(lines[1]!, /^a\.yaml:9:17: .*this is bad/);
  assert.match(stderr, /^b\.yaml:1:9: /m);
});

test('a file that is not there and a glob that finds none', () => {
  const { code, stderr } = check({}, ['gone.yaml', 'none/*.yaml']);
  assert.equal(code, 1);
  assert.match(stderr, /^gone\.yaml: cannot be read: no such file$/m);
  assert.match(stderr, /^none\/\*\.yaml: no file matches$/m);
});

test('--json gives one line for each file', () => {
  const { code, stdout, stderr } = check(
    { 'a.yaml': file('up', 'bad'), 'b.yaml': file('up') },
    ['*.yaml'],
    true,
  );
  assert.equal(code, 1);
  assert.equal(stderr, '');
  const [a, b] = stdout.split('\n').map((line) => JSON.parse(line) as CheckedFile);
  assert.equal(a?.errors.length, 1);
  assert.deepEqual(
    [a?.errors[0]?.code, a?.errors[0]?.line, a?.errors[0]?.column],
    ['TASKWARDEN_PROMQL', 7, 17],
  );
  assert.deepEqual(b, { file: 'b.yaml', rules: 1, errors: [] });
});
