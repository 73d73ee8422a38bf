import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../src/cli/commands.ts';
import { promtool, promtoolMissing } from '../rules/promtool.ts';
import { folder, world } from './fixture.ts';

const SHIPPED = readdirSync(resolve(import.meta.dirname, '../../rules')).filter((name) =>
  name.endsWith('.yaml'),
);
const rules = (more = '') => `groups:
  - name: mine
    rules:
      - alert: Mine
        expr: task_active > 10
        labels: {severity: info}
        annotations: {summary: many, taskwarden_action: capture-stack}
${more}`;

async function run(cwd: string, args: readonly string[], env: Record<string, string> = {}) {
  const { io, stdout, stderr } = world(cwd, env);
  const code = await runCommand(['rules', 'export', ...args], io);
  return { code, stdout: stdout(), stderr: stderr() };
}

test('what the agent loads: the shipped rules and those of the configuration', async () => {
  const cwd = folder({ 'etc/mine.yaml': rules() });
  const { code, stdout, stderr } = await run(cwd, ['--out', 'out/rules'], { TASKWARDEN_RULES: 'etc/*.yaml' });
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  assert.match(stdout, /^out\/rules\/mine\.yaml: 1 rule$/m);
  const folderOut = join(cwd, 'out/rules');
  assert.deepEqual(readdirSync(folderOut).sort(), [...SHIPPED, 'mine.yaml'].sort());
  const [head, ...rest] = readFileSync(join(folderOut, 'mine.yaml'), 'utf8').split('\n');
  assert.match(
    head!,
    /^# Exported by taskwarden [\d.]+\S* from mine\.yaml, for Prometheus 2\.42 or later\. /,
  );
  assert.equal(rest.join('\n'), rules(), 'nothing else changes, annotations for the agent included');
});

test('promtool accepts the export', { skip: promtoolMissing() }, async () => {
  const cwd = folder();
  assert.equal((await run(cwd, ['--out', 'out'])).code, 0);
  const files = readdirSync(join(cwd, 'out')).map((name) => join(cwd, 'out', name));
  assert.equal(files.length, SHIPPED.length);
  const { status, output } = promtool('check', 'rules', ...files);
  assert.equal(status, 0, output);
});

test('a threshold of yours is in the export once, also from a file with the name of a shipped one', {
  skip: promtoolMissing(),
}, async () => {
  const own = (value: number) => `groups:
  - name: mine
    rules:
      - record: taskwarden:threshold:task_cpu_share
        expr: vector(${value})
`;
  const cwd = folder({ 'etc/thresholds.yaml': own(0.5) });
  const { code, stdout, stderr } = await run(cwd, ['--out', 'out'], { TASKWARDEN_RULES: 'etc/*.yaml' });
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  assert.match(stdout, /^out\/thresholds\.yaml: 1 rule$/m);
  const [mine, shipped] = ['thresholds.yaml', 'taskwarden-thresholds.yaml'].map((name) =>
    join(cwd, 'out', name),
  );
  assert.match(readFileSync(mine!, 'utf8'), /:task_cpu_share\n/);
  assert.doesNotMatch(readFileSync(shipped!, 'utf8'), /record: taskwarden:threshold:task_cpu_share\n/);
  assert.match(readFileSync(shipped!, 'utf8'), /record: taskwarden:threshold:task_failure_share\n/);
  const { status, output } = promtool('check', 'rules', mine!, shipped!);
  assert.equal(status, 0, output);
});

test('nothing is written for a Prometheus that would refuse it', async () => {
  const text = rules().replace('rules:', 'labels: {team: x}\n    rules:');
  const cwd = folder({ 'new.yaml': text, 'old.yaml': rules() });
  const { code, stdout, stderr } = await run(cwd, ['--out', 'out', 'new.yaml', 'old.yaml']);
  assert.deepEqual({ code, stdout }, { code: 1, stdout: '' });
  assert.match(
    stderr,
    /^new\.yaml:3:5: error: "labels" of a group needs Prometheus 3\.0, not 2\.42 \[min-prometheus\]$/m,
  );
  assert.deepEqual(readdirSync(cwd).sort(), ['new.yaml', 'old.yaml']);
  assert.equal((await run(cwd, ['--out', 'out', '--min-prometheus', '3.0', 'new.yaml'])).code, 0);
});

test('ranges are judged by the interval at which Prometheus gets samples', async () => {
  const cwd = folder({
    'a.yaml': rules().replace('task_active > 10', 'max_over_time(task_active[1m]) > 10'),
  });
  const warned = async (...more: string[]) =>
    (await run(cwd, ['--out', 'out', ...more, 'a.yaml'])).stderr.includes('[window]');
  assert.equal(await warned(), false);
  assert.equal(await warned('--step', '30s'), true);
});

test('only exports are written over', async () => {
  const cwd = folder({ 'a.yaml': rules(), 'b/a.yaml': rules(), 'out/a.yaml': '# mine\n' });
  const refused = await run(cwd, ['--out', 'out', 'a.yaml']);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^out\/a\.yaml: is there already and is no export/);
  assert.equal(readFileSync(join(cwd, 'out/a.yaml'), 'utf8'), '# mine\n');

  assert.equal((await run(cwd, ['--out', 'other', 'a.yaml'])).code, 0);
  writeFileSync(join(cwd, 'c.yaml'), rules());
  const again = await run(cwd, ['--out', 'other', 'c.yaml']);
  assert.deepEqual([again.code, again.stdout], [0, 'other/c.yaml: 1 rule']);
  assert.equal(again.stderr, 'other/a.yaml: note: from an earlier export, and not part of this one');

  const clash = await run(cwd, ['--out', 'other', 'a.yaml', 'b/a.yaml']);
  assert.equal(clash.code, 1);
  assert.match(clash.stderr, /^b\/a\.yaml: a\.yaml has the same name/);
});

test('errors in files and in their names', async () => {
  const cwd = folder({ 'a.yaml': 'groups: 1\n' });
  const { code, stderr } = await run(cwd, ['--out', 'out', 'a.yaml', 'b*.yaml']);
  assert.equal(code, 1);
  assert.match(stderr, /^a\.yaml:1:9: groups must be a list/m);
  assert.match(stderr, /^b\*\.yaml: no file matches$/m);
});

test('a folder that cannot be made', async () => {
  const cwd = folder({ 'a.yaml': rules(), out: 'a file' });
  const { code, stderr } = await run(cwd, ['--out', 'out/in', 'a.yaml']);
  assert.equal(code, 1);
  assert.match(stderr, /^ENOTDIR: .*out\/in/);
});
