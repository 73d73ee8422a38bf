import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../src/cli/commands.ts';
import { folder, world } from './fixture.ts';

const UGLY = 'groups: [{name: g, rules: [{record: r, expr: sum(up)by(job)}]}]\n';
const FINE = "groups: [{name: g, rules: [{record: r, expr: 'sum by (job) (up)'}]}]\n";
const COMMENTED = 'groups:\n- name: g\n  rules:\n  - record: r\n    expr: |\n      # why\n      up\n';
const FILES = { 'a.yaml': UGLY, 'b.yaml': FINE, 'c.yaml': COMMENTED, 'd.yaml': 'groups: 1\n' };

async function fmt(cwd: string, ...args: string[]) {
  const { io, stdout, stderr } = world(cwd);
  const code = await runCommand(['rules', 'fmt', ...args], io);
  return { code, stdout: stdout(), stderr: stderr() };
}

test('files are changed and named, once', async () => {
  const cwd = folder(FILES);
  const note = 'c.yaml:5:11: note: stays as it is, with the comments or computed durations in it';
  const read = (name: string) => readFileSync(join(cwd, name), 'utf8');
  const files = ['a.yaml', 'b.yaml', 'c.yaml'];
  assert.deepEqual(await fmt(cwd, '--check', ...files), { code: 1, stdout: 'a.yaml', stderr: note });
  assert.equal(read('a.yaml'), UGLY);
  assert.deepEqual(await fmt(cwd, ...files), { code: 0, stdout: 'a.yaml', stderr: note });
  assert.equal(read('a.yaml'), FINE);
  assert.equal(read('c.yaml'), COMMENTED);
  assert.deepEqual(await fmt(cwd, '--check', ...files), { code: 0, stdout: '', stderr: note });
});

test('a file with errors is told and left', async () => {
  const { code, stderr } = await fmt(folder(FILES), 'd.yaml', 'e*.yaml');
  assert.equal(code, 1);
  assert.match(stderr, /^d\.yaml:1:9: groups must be a list/m);
  assert.match(stderr, /^e\*\.yaml: no file matches$/m);
});
