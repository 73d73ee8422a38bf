import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../src/cli/commands.ts';
import { VERSION } from '../../src/model/package.ts';
import { CLI, REGISTER } from '../helpers/built.ts';
import { folder, world } from './fixture.ts';

const ROOT = join(import.meta.dirname, '../..');

async function run(...args: string[]) {
  const { io, stdout, stderr } = world(folder());
  const code = await runCommand(args, io);
  return { code, stdout: stdout(), stderr: stderr() };
}

/** The program itself, in a folder and with nothing but these variables. */
function program(cwd: string, args: string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    cwd,
    env,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

test('help and version', async () => {
  const help = await run('--help');
  assert.equal(help.code, 0);
  assert.match(help.stdout, /^Usage:\n {2}taskwarden doctor/);
  assert.deepEqual(await run('-v'), { code: 0, stdout: VERSION, stderr: '' });
});

test('help of the rules commands', async () => {
  assert.match((await run('rules', '--help')).stdout, /^Usage:\n {2}taskwarden rules check FILE/);
  for (const name of ['check', 'test', 'fmt', 'export']) {
    const { code, stdout } = await run('rules', name, '--help');
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`^Usage:\\n {2}taskwarden rules ${name} [^]*\\nExit codes`));
  }
});

test('wrong use is exit code 2, with the usage on stderr', async () => {
  const cases: [args: string[], message: RegExp][] = [
    [[], /^taskwarden: a command is missing\n\nUsage:/],
    [['doktor'], /unknown command "doktor"/],
    [['rules'], /unknown command "rules"/],
    [['rules', 'chek', 'a.yaml'], /unknown command "rules chek"\n\nUsage:\n {2}taskwarden rules check/],
    [['rules', 'check'], /rules check needs a file/],
    [['rules', 'check', '--lint', 'windw', 'a.yaml'], /no lint "windw" \(did you mean "window"\?\)/],
    [['rules', 'check', '--step', 'soon', 'a.yaml'], /--step wants a duration such as 15s, not "soon"/],
    [['rules', 'check', '--min-prometheus', 'x', 'a.yaml'], /--min-prometheus wants a version such as 2\.42/],
    [['rules', 'test'], /rules test needs a file/],
    [['rules', 'fmt'], /rules fmt needs a file/],
    [['rules', 'fmt', '--wat', 'a.yaml'], /Unknown option '--wat'/],
    [['rules', 'export'], /rules export needs --out DIR/],
    [['doctor', 'now'], /doctor takes no argument "now"/],
    [['doctor', '--jsno'], /Unknown option '--jsno'/],
  ];
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await run(...args);
    assert.deepEqual({ code, stdout }, { code: 2, stdout: '' }, args.join(' '));
    assert.match(stderr, message);
  }
});

test('the program: doctor', () => {
  const cwd = folder({ 'node_modules/bullmq/package.json': '{"version":"1.91.1"}' });
  const { status, stdout, stderr } = program(cwd, ['doctor'], { TASKWARDEN_LOG_LEVEL: 'info' });
  assert.equal(stderr, '');
  assert.match(stdout, /^ {2}log\.level +info {2}\(TASKWARDEN_LOG_LEVEL\)$/m);
  assert.match(stdout, /^warning: found bullmq 1\.91\.1, supported >=/m);
  assert.equal(status, 1);
});

test('the program: the shipped rules are fine, broken PromQL is not', () => {
  const shipped = program(ROOT, ['rules', 'check', 'rules/*.yaml']);
  assert.deepEqual({ status: shipped.status, stderr: shipped.stderr }, { status: 0, stderr: '' });
  assert.match(shipped.stdout, /^rules\/tasks\.yaml: [1-9]\d* rules$/m);
  const cwd = folder({
    'a.yaml': 'groups:\n  - name: g\n    rules:\n      - record: r\n        expr: sum(\n',
  });
  const broken = program(cwd, ['rules', 'check', 'a.yaml']);
  assert.equal(broken.status, 1);
  assert.match(broken.stderr, /^a\.yaml:5:\d+: /);
});

test('the program is not watched itself where the preload is in NODE_OPTIONS', () => {
  // What a worker would end for.
  const env = { NODE_OPTIONS: `--import=${REGISTER}`, TASKWARDEN_CONFIG: 'gone.yaml' };
  const worker = spawnSync(process.execPath, ['-e', '0'], { env, encoding: 'utf8' });
  assert.match(worker.stderr, /gone\.yaml/);
  const version = program(folder(), ['--version'], env);
  assert.deepEqual(version, { status: 0, stdout: `${VERSION}\n`, stderr: '' });
});
