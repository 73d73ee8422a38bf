import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type Ended, endPrograms, folderWith, runProgram } from '../fixtures/faults/program.ts';

const GROUP = 'groups:\n  - name: own\n    rules:\n';
const folder = folderWith({
  'broken.yaml': 'watch:\n  threshold: [1s\n',
  'unknown.yaml': 'watch:\n  treshold: 2s\n',
  'value.yaml': 'log:\n  level: loud\n',
  'rules-yaml.yaml': 'groups:\n  - name: "own\n',
  'rules-key.yaml': `${GROUP}      - alert: A\n        expr: up\n        fro: 1m\n`,
  'rules-promql.yaml': `${GROUP}      - alert: A\n        expr: sum(rate(task_runs_total[5m])\n`,
  'rules-type.yaml': `${GROUP}      - record: a\n        expr: rate(task_runs_total)\n`,
  'named.yaml': 'rules: [rules-promql.yaml]\n',
});
const QUIET = { OTEL_TRACES_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none' };

after(() => {
  endPrograms();
  folder.remove();
});

const run = (env: Record<string, string>, cwd = folder.path): Promise<Ended> =>
  runProgram('never.ts', { cwd, env: { ...QUIET, ...env } });

async function refuses(env: Record<string, string>, message: RegExp): Promise<void> {
  const { code, stdout, stderr } = await run(env);
  assert.match(stderr, message);
  assert.equal(code, 1);
  assert.equal(stdout, '', 'the worker must not run');
  assert.doesNotMatch(stderr, /^\s+at /m, 'a user is told what is wrong, not where our code noticed');
}

describe('what a user wrote wrong is told before any job runs', { concurrency: 3 }, () => {
  for (const [what, env, message] of [
    ['broken YAML', { TASKWARDEN_CONFIG: 'broken.yaml' }, /^taskwarden: broken\.yaml:3:1: /],
    [
      'an unknown key',
      { TASKWARDEN_CONFIG: 'unknown.yaml' },
      /^taskwarden: unknown\.yaml:2:3: .*treshold.*did you mean.*watch\.threshold/i,
    ],
    [
      'a value that is not allowed',
      { TASKWARDEN_CONFIG: 'value.yaml' },
      /^taskwarden: value\.yaml:2:10: log\.level: "loud" is not allowed; allowed: none, error, warn, info, debug/,
    ],
    ['a configuration file that is not there', { TASKWARDEN_CONFIG: 'no.yaml' }, /no\.yaml: .*no such file/],
    [
      'an unknown variable',
      { TASKWARDEN_WATCH_TRESHOLD: '2s' },
      /unknown environment variable TASKWARDEN_WATCH_TRESHOLD.*did you mean.*TASKWARDEN_WATCH_THRESHOLD/i,
    ],
    [
      'a value of a variable',
      { TASKWARDEN_WATCH_THRESHOLD: 'soon' },
      /^taskwarden: TASKWARDEN_WATCH_THRESHOLD: "soon" is not allowed; allowed: /,
    ],
    [
      'broken YAML of rules',
      { TASKWARDEN_RULES: 'rules-yaml.yaml' },
      /^taskwarden: rules-yaml\.yaml:3:1: .*quote/,
    ],
    [
      'an unknown key of a rule',
      { TASKWARDEN_RULES: 'rules-key.yaml' },
      /^taskwarden: rules-key\.yaml:6:9: .*fro/,
    ],
    ['broken PromQL', { TASKWARDEN_RULES: 'rules-promql.yaml' }, /^taskwarden: rules-promql\.yaml:5:\d+: /],
    [
      'ill-typed PromQL',
      { TASKWARDEN_RULES: 'rules-type.yaml' },
      /^taskwarden: rules-type\.yaml:5:20: .*range/i,
    ],
    [
      'a rule file that is not there',
      { TASKWARDEN_RULES: 'no.yaml' },
      /^taskwarden: no\.yaml: .*no such file/,
    ],
    [
      'a rule file that the configuration file names',
      { TASKWARDEN_CONFIG: 'named.yaml' },
      /^taskwarden: rules-promql\.yaml:5:\d+: /,
    ],
  ] as const)
    test(what, () => refuses(env, message));

  test('a glob that names no file is no mistake, nor is a folder without taskwarden.yaml', async () => {
    const { code, stdout, stderr } = await run({ TASKWARDEN_RULES: 'no-such/*.yaml' });
    assert.equal(stderr, '');
    assert.equal(stdout, 'the worker ran\n');
    assert.equal(code, 0);
  });

  test('TASKWARDEN_ENABLED=false looks at nothing', async () => {
    const env = { TASKWARDEN_ENABLED: 'false', TASKWARDEN_CONFIG: 'broken.yaml', TASKWARDEN_TYPO: '1' };
    const { code, stdout, stderr } = await run(env);
    assert.deepEqual([code, stdout, stderr], [0, 'the worker ran\n', '']);
  });

  test('an error in a file that comes to be by a glob stops the worker too', () =>
    refuses({ TASKWARDEN_RULES: join(folder.path, 'rules-t*.yaml') }, /rules-type\.yaml:5:20: /));
});
