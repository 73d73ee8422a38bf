import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Diagnosis, doctor } from '../../src/cli/doctor.ts';
import { TaskwardenError } from '../../src/model/errors.ts';
import { folder, world } from './fixture.ts';

const SUPPORTED = [
  { name: 'bullmq', versions: '>=2 <7' },
  { name: '@scope/queue', versions: '>=1' },
];
const installed = (name: string, version: unknown) => ({
  [`node_modules/${name}/package.json`]: JSON.stringify({ name, version }),
});
const fine = () => {};

function json(
  cwd: string,
  env: Record<string, string> = {},
  checkRules: (p: readonly string[]) => void = fine,
) {
  const { io, stdout } = world(cwd, env);
  const code = doctor(io, { json: true, supported: SUPPORTED, checkRules });
  return { code, ...(JSON.parse(stdout()) as Diagnosis) };
}

function text(cwd: string, env: Record<string, string> = {}) {
  const { io, stdout } = world(cwd, env);
  const code = doctor(io, { json: false, supported: SUPPORTED, checkRules: fine });
  return { code, text: stdout() };
}

test('a supported version is instrumented', () => {
  const cwd = folder(installed('bullmq', '6.7.0'));
  const { code, libraries, problems, node } = json(cwd);
  assert.equal(code, 0);
  assert.equal(node, process.versions.node);
  assert.deepEqual(problems, []);
  assert.deepEqual(libraries, [
    { name: 'bullmq', versions: '>=2 <7', found: '6.7.0', instrumented: true },
    { name: '@scope/queue', versions: '>=1', instrumented: false },
  ]);
  assert.match(text(cwd).text, /^ {2}bullmq 6\.7\.0 instrumented \(supported: >=2 <7\)$/m);
});

test('an unsupported version is a warning and exit code 1', () => {
  const cwd = folder(installed('bullmq', '1.91.1'));
  const message = 'found bullmq 1.91.1, supported >=2 <7: not instrumented';
  assert.deepEqual(json(cwd).problems, [message]);
  const { code, text: shown } = text(cwd);
  assert.equal(code, 1);
  assert.match(shown, new RegExp(`^warning: ${message}$`, 'm'));
});

test('libraries are looked for as code in the folder would find them', () => {
  const root = folder({
    ...installed('bullmq', '1.0.0'),
    ...installed('@scope/queue', '1.2.3'),
    'app/node_modules/bullmq/package.json': '{"version":"5.1.0"}',
    'app/worker/x.js': '',
  });
  assert.deepEqual(
    json(join(root, 'app/worker')).libraries.map(({ found }) => found),
    ['5.1.0', '1.2.3'],
  );
});

test('queues whose handlers are runs where the application says so are noted', () => {
  const cwd = folder({
    ...installed('bullmq', '6.7.0'),
    ...installed('bull', '4.16.5'),
    ...installed('pg-boss', '10.0.0'),
  });
  assert.deepEqual(json(cwd).notes, [
    'handlers of bull, pg-boss are not instrumented: make them runs with task() of taskwarden',
  ]);
});

test('a package.json that is broken counts as not installed', () => {
  const cwd = folder({ ...installed('bullmq', 5), 'node_modules/@scope/queue/package.json': '{' });
  const { code, libraries, notes } = json(cwd);
  assert.deepEqual(
    libraries.map(({ found }) => found),
    [undefined, undefined],
  );
  assert.equal(code, 0);
  assert.deepEqual(notes, ['none of bullmq, @scope/queue is installed here']);
});

test('the effective configuration is shown, with sources and without secrets', () => {
  const cwd = folder({ 'taskwarden.yaml': 'watch:\n  threshold: 2s\n' });
  const env = {
    TASKWARDEN_MAX_TASKS: '50',
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=hush',
    OTEL_SERVICE_NAME: 'mail',
  };
  const { code, text: shown } = text(cwd, env);
  assert.equal(code, 0);
  assert.match(shown, /^Configuration \(.*taskwarden\.yaml\)$/m);
  assert.match(shown, /^ {2}watch\.threshold +2s {2}\(file\)$/m);
  assert.match(shown, /^ {2}max_tasks +50 {2}\(TASKWARDEN_MAX_TASKS\)$/m);
  assert.match(shown, /^ {2}watch\.interval +50ms$/m);
  assert.match(shown, /^ {2}rules +-$/m);
  assert.match(shown, /^ {2}OTEL_EXPORTER_OTLP_HEADERS +authorization=\*{4}$/m);
  assert.doesNotMatch(shown + JSON.stringify(json(cwd, env)), /hush/);
});

test('a configuration that cannot be used, OTEL_* values and rule files are problems', () => {
  const broken = json(folder({ 'taskwarden.yaml': 'wach: {}\n' }));
  assert.equal(broken.code, 1);
  assert.deepEqual(broken.config, []);
  assert.match(broken.problems[0]!, /^taskwarden\.yaml:1:1: unknown option "wach"/);

  const otel = json(folder(), { OTEL_TRACES_SAMPLER: 'mine' });
  assert.equal(otel.code, 1);
  assert.match(otel.problems[0]!, /^OTEL_TRACES_SAMPLER: "mine"/);

  const rules = json(folder(), { TASKWARDEN_RULES: 'a.yaml' }, (patterns) => {
    assert.deepEqual(patterns, ['a.yaml']);
    throw new TaskwardenError('TASKWARDEN_FILE', 'cannot be read', { file: 'a.yaml' });
  });
  assert.equal(rules.code, 1);
  assert.deepEqual(rules.problems, ['a.yaml: cannot be read']);
});

test('what switches Taskwarden off is noted', () => {
  assert.match(json(folder(), { TASKWARDEN_ENABLED: 'false' }).notes[0]!, /switched off/);
  assert.match(json(folder(), { OTEL_SDK_DISABLED: 'true' }).notes[0]!, /OTEL_SDK_DISABLED/);
});

test('a fault that is no mistake of the user is not hidden', () => {
  const fault = new TypeError('ours');
  assert.throws(
    () =>
      json(folder(), {}, () => {
        throw fault;
      }),
    fault,
  );
});
