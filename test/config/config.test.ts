import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadConfig } from '../../src/config/config.ts';
import { DEFAULTS, keysOf, OPTIONS, variableOf } from '../../src/config/options.ts';
import { TaskwardenError } from '../../src/model/errors.ts';

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** A new folder with files by their names. */
function folder(files: Record<string, string> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'taskwarden-config-'));
  folders.push(path);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(path, name, '..'), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  return path;
}

function failure(act: () => unknown): TaskwardenError {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof TaskwardenError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: 'no error was thrown' });
}

const withYaml = (yaml: string, env = {}, files = {}) =>
  loadConfig({ env, cwd: folder({ 'taskwarden.yaml': yaml, ...files }) });
const yamlFailure = (yaml: string) => failure(() => withYaml(yaml));
const envFailure = (env: Record<string, string>) => failure(() => loadConfig({ env, cwd: folder() }));

test('the table of options and the literal of defaults name the same options', () => {
  const leaves = (value: object, prefix = ''): string[] =>
    Object.entries(value).flatMap(([key, part]) =>
      typeof part === 'object' && Object.keys(part).length > 0 && !Array.isArray(part)
        ? leaves(part, `${prefix}${key}.`)
        : [prefix + key],
    );
  const { otel: _, ...own } = DEFAULTS;
  assert.deepEqual(
    leaves(own),
    Object.keys(OPTIONS).map((path) => keysOf(path).join('.')),
  );
});

test('without a file and variables every option has its default', () => {
  const {
    env,
    cwd,
    file,
    sources,
    warnings,
    nodeOptions: _,
    inspector: __,
    ...rest
  } = loadConfig({ env: { HOME: '/x' }, cwd: folder() });
  const timeout = Math.min(DEFAULTS.otel.metricExportTimeout, DEFAULTS.otel.metricExportInterval);
  assert.deepEqual(rest, { ...DEFAULTS, otel: { ...DEFAULTS.otel, metricExportTimeout: timeout } });
  assert.deepEqual(
    { env, file, sources, warnings },
    { env: { HOME: '/x' }, file: undefined, sources: {}, warnings: [] },
  );
});

test('the file overrides defaults, the environment overrides the file', () => {
  const config = withYaml(
    'watch: { threshold: 2s, interval: 100ms }\nshipped_rules: false\nstore:\n  max_series: 900\n',
    {
      TASKWARDEN_WATCH_THRESHOLD: '1m30s',
      TASKWARDEN_MEMORY_GC_BUDGET: '0',
    },
  );
  assert.deepEqual(config.watch, { threshold: 90_000, interval: 100 });
  assert.equal(config.shippedRules, false);
  assert.equal(config.store.maxSeries, 900);
  assert.equal(config.memory.gcBudget, 0);
  assert.deepEqual(config.sources, {
    shipped_rules: 'file',
    'watch.threshold': 'env',
    'watch.interval': 'file',
    'memory.gc_budget': 'env',
    'store.max_series': 'file',
  });
});

test('every option can be set by its variable and by its path', () => {
  const samples: Record<string, string> = {
    boolean: 'false',
    list: 'x.yaml',
    duration: '10s',
    number: '0.25',
    http: '127.0.0.1:9464',
    'queues.redis': 'redis://cache:6380/1',
    http_token: 'secret',
    http_token_file: 'token.txt',
    endpoints: 'http://user:secret@host:9093',
    external_labels: 'env=prod',
    external_url: 'https://host/prometheus',
    'queues.interval': '20s',
    'handles.grace': '20s',
    actions: 'exit',
    'poison.window': '10m',
    'evidence.max_age': '10m',
    'overdue.factor': '8',
    actions_dry_run: 'true',
  };
  const files = { 'token.txt': 'secret\n' };
  for (const [path, { kind }] of Object.entries(OPTIONS)) {
    const sample = kind.allowed.startsWith('an integer')
      ? '500'
      : (samples[path] ?? samples[kind.type] ?? kind.allowed.split(', ').at(-1)!);
    const value = path === 'watch.interval' ? '60ms' : path === 'watch.threshold' ? '3s' : sample;
    const fromEnv = loadConfig({ env: { [variableOf(path)]: value }, cwd: folder(files) });
    assert.equal(fromEnv.sources[path], 'env', path);
    const yaml = path.split('.').reduceRight((inner, key) => `{ ${key}: ${inner} }`, value);
    const fromFile = withYaml(yaml, {}, files);
    assert.equal(fromFile.sources[path], 'file', path);
    const strip = ({ env: _e, cwd: _c, file: _f, sources: _s, otel: _o, ...settings }: typeof fromEnv) =>
      settings;
    assert.deepEqual(strip(fromFile), strip(fromEnv), path);
    assert.notDeepEqual(strip(fromFile), strip(loadConfig({ env: {}, cwd: folder() })), path);
  }
});

test('the configuration is frozen to its depth and can be sent to a thread', () => {
  const config = withYaml('rules: [a.yaml]\n', { OTEL_RESOURCE_ATTRIBUTES: 'a=1' });
  const check = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) return;
    assert.ok(Object.isFrozen(value), path);
    for (const [key, part] of Object.entries(value)) check(part, `${path}.${key}`);
  };
  check(config, 'config');
  assert.deepEqual(structuredClone(config), config);
  assert.equal(DEFAULTS.rules.length, 0);
});

test('the environment for the agent thread lacks NODE_OPTIONS', () => {
  const env = { NODE_OPTIONS: '--import x', A: 'b', GONE: undefined };
  assert.deepEqual(loadConfig({ env, cwd: folder() }).env, { A: 'b' });
});

test('options of Node.js are those of the command line and of NODE_OPTIONS', () => {
  const { nodeOptions } = loadConfig({ env: { NODE_OPTIONS: ' --import x  --no-warnings ' }, cwd: folder() });
  assert.deepEqual(nodeOptions, [...process.execArgv, '--import', 'x', '--no-warnings']);
});

test('an empty variable counts as unset', () => {
  const config = loadConfig({ env: { TASKWARDEN_CPU_MODE: ' ', TASKWARDEN_CONFIG: '' }, cwd: folder() });
  assert.equal(config.cpu.mode, 'auto');
});

test('TASKWARDEN_ENABLED=false looks at nothing else', () => {
  const cwd = folder({ 'taskwarden.yaml': ': {' });
  const config = loadConfig({ env: { TASKWARDEN_ENABLED: 'false', TASKWARDEN_NONSENSE: '1' }, cwd });
  assert.equal(config.enabled, false);
  assert.equal(withYaml('enabled: false').enabled, false);
  assert.equal(withYaml('enabled: false', { TASKWARDEN_ENABLED: 'true' }).enabled, true);
});

test('rules are paths from the working folder, wherever the file is', () => {
  const cwd = folder({ 'conf/tw.yaml': 'rules: [own/*.yaml, /etc/x.yaml]\n' });
  assert.deepEqual(loadConfig({ env: { TASKWARDEN_CONFIG: 'conf/tw.yaml' }, cwd }).rules, [
    'conf/own/*.yaml',
    '/etc/x.yaml',
  ]);
  assert.deepEqual(withYaml('rules: [own/*.yaml]').rules, ['own/*.yaml']);
  const env = { TASKWARDEN_RULES: ' a.yaml, b/*.yaml,', TASKWARDEN_CONFIG: 'conf/tw.yaml' };
  assert.deepEqual(loadConfig({ env, cwd }).rules, ['a.yaml', 'b/*.yaml']);
});

test('a value that is not allowed names option, value and what is allowed', () => {
  const cases: [Record<string, string>, RegExp][] = [
    [
      { TASKWARDEN_CPU_MODE: 'fast' },
      /^TASKWARDEN_CPU_MODE: "fast" is not allowed; allowed: auto, exact, sampled, sync, off$/,
    ],
    [{ TASKWARDEN_CPU_BUDGET: '2' }, /TASKWARDEN_CPU_BUDGET: "2".* a number from 0 to 1$/],
    [{ TASKWARDEN_CPU_BUDGET: 'NaN' }, /a number from 0 to 1$/],
    [{ TASKWARDEN_MAX_TASKS: '1.5' }, /an integer from 1 to 10000$/],
    [{ TASKWARDEN_WATCH_THRESHOLD: '1000' }, /"1000".* a duration from 20ms to 1h, such as 500ms/],
    [{ TASKWARDEN_WATCH_THRESHOLD: '1ms' }, /a duration from 20ms/],
    [{ TASKWARDEN_NETWORK: 'perhaps' }, /true or false$/],
  ];
  for (const [env, message] of cases) {
    const error = envFailure(env);
    assert.equal(error.code, 'TASKWARDEN_CONFIG');
    assert.match(error.message, message);
  }
});

test('an unknown variable is an error with the nearest known one', () => {
  assert.match(
    envFailure({ TASKWARDEN_WATCH_TRESHOLD: '1s' }).message,
    /TRESHOLD \(did you mean "TASKWARDEN_WATCH_THRESHOLD"\?\)$/,
  );
  assert.match(
    envFailure({ TASKWARDEN_XYZZY_FOO_BAR: '1' }).message,
    /known: TASKWARDEN_ENABLED, .*TASKWARDEN_CONFIG/,
  );
});

test('what Kubernetes says of a service named like an option is no option', () => {
  const service = {
    TASKWARDEN_SERVICE_HOST: '10.0.0.11',
    TASKWARDEN_WATCH_SERVICE_PORT: '9464',
    TASKWARDEN_WATCH_SERVICE_PORT_METRICS: '9464',
    TASKWARDEN_WATCH_PORT: 'tcp://10.0.0.11:9464',
    TASKWARDEN_WATCH_PORT_9464_TCP: 'tcp://10.0.0.11:9464',
    TASKWARDEN_WATCH_PORT_9464_TCP_PROTO: 'tcp',
  };
  const cwd = folder();
  assert.deepEqual({ ...loadConfig({ env: service, cwd }), env: {} }, loadConfig({ env: {}, cwd }));
  assert.match(
    envFailure({ TASKWARDEN_HTTP_PORT: '9464' }).message,
    /^unknown environment variable TASKWARDEN_HTTP_PORT/,
  );
});

test('the address of a Redis has a scheme, and is not shown', () => {
  for (const url of ['redis://cache', 'rediss-sentinel://a,b?master=m', 'unix:///run/redis.sock'])
    assert.equal(loadConfig({ env: { TASKWARDEN_QUEUES_REDIS: url }, cwd: folder() }).queues.redis, url);
  const { message } = envFailure({ TASKWARDEN_QUEUES_REDIS: 'user:secret@cache:6379' });
  assert.match(
    message,
    /^TASKWARDEN_QUEUES_REDIS: the address is not allowed; allowed: an address such as redis:/,
  );
  assert.ok(!message.includes('secret'));
});

test('errors in the file have line and column', () => {
  const cases: [yaml: string, code: string, message: RegExp][] = [
    [
      'cpu:\n  mode: fast\n',
      'TASKWARDEN_CONFIG',
      /^taskwarden\.yaml:2:9: cpu\.mode: "fast" is not allowed; allowed: auto/,
    ],
    [
      'watch:\n  treshold: 1s\n',
      'TASKWARDEN_CONFIG',
      /^taskwarden\.yaml:2:3: unknown option "watch\.treshold" \(did you mean "watch\.threshold"\?\)$/,
    ],
    [
      'watch:\n  colour: red\n',
      'TASKWARDEN_CONFIG',
      /:2:3: unknown option "watch\.colour"; allowed: threshold, interval$/,
    ],
    ['otel: {}\n', 'TASKWARDEN_CONFIG', /:1:1: unknown option "otel"; allowed: enabled, rules, /],
    ['__proto__: { a: 1 }\n', 'TASKWARDEN_CONFIG', /:1:1: unknown option "__proto__"/],
    ['watch: 1s\n', 'TASKWARDEN_CONFIG', /:1:1: watch must hold options of its own: threshold, interval$/],
    ['network:\n', 'TASKWARDEN_CONFIG', /:1:1: network has no value$/],
    [
      'rules: { a: b }\n',
      'TASKWARDEN_CONFIG',
      /:1:8: rules: \{"a":"b"\} is not allowed; allowed: a list of texts$/,
    ],
    ['rules: [1]\n', 'TASKWARDEN_CONFIG', /a list of texts$/],
    [
      'watch: { threshold: 5 }\n',
      'TASKWARDEN_CONFIG',
      /:1:21: watch\.threshold: 5 is not allowed; allowed: a duration/,
    ],
    ['network: true\nnetwork: false\n', 'TASKWARDEN_YAML', /^taskwarden\.yaml:2:1: .*unique/],
    ['network: [true\n', 'TASKWARDEN_YAML', /^taskwarden\.yaml:2:1: /],
    ['- network\n', 'TASKWARDEN_YAML', /:1:1: options must be written as/],
    ['a: 1\n---\nb: 2\n', 'TASKWARDEN_YAML', /:2:1: .*multiple documents/],
  ];
  for (const [yaml, code, message] of cases) {
    const error = yamlFailure(yaml);
    assert.match(error.message, message);
    assert.equal(error.code, code, yaml);
  }
});

test('a list is no scalar, and a mistake in the file is one even where a variable wins', () => {
  assert.match(yamlFailure('cpu: { mode: [auto] }\n').message, /cpu\.mode: \["auto"\] is not allowed/);
  assert.match(yamlFailure('network: [true]\n').message, /network: \[true\] is not allowed/);
  const overridden = failure(() => withYaml('cpu: { mode: fast }\n', { TASKWARDEN_CPU_MODE: 'off' }));
  assert.match(overridden.message, /cpu\.mode: "fast"/);
});

test('a folder in the place of the file cannot be read', () => {
  const error = failure(() => loadConfig({ env: {}, cwd: folder({ 'taskwarden.yaml/x': '' }) }));
  assert.equal(error.message, 'taskwarden.yaml: the configuration cannot be read: it is a folder');
});

test('an empty file, a comment alone and an empty group set nothing', () => {
  for (const yaml of ['', '# nothing\n', 'null\n', 'cpu:\n  # mode: off\n'])
    assert.deepEqual(withYaml(yaml).sources, {}, JSON.stringify(yaml));
});

test('anchors work', () => {
  const { store } = withYaml('watch: { threshold: &t 2s }\nstore: { step: *t }\n');
  assert.equal(store.step, 2000);
});

test('a file that was asked for must be there', () => {
  const error = envFailure({ TASKWARDEN_CONFIG: 'gone.yaml' });
  assert.equal(error.code, 'TASKWARDEN_FILE');
  assert.match(
    error.message,
    /^gone\.yaml: the configuration cannot be read: no such file; TASKWARDEN_CONFIG/,
  );
  assert.match(envFailure({ TASKWARDEN_CONFIG: '.' }).message, /it is a folder/);
});

test('options that contradict each other are an error', () => {
  assert.match(
    envFailure({ TASKWARDEN_STORE_STEP: '1m', TASKWARDEN_STORE_RETENTION: '30s' }).message,
    /^store\.retention \(30s\) must be at least store\.step \(1m\)$/,
  );
  assert.match(
    envFailure({ TASKWARDEN_WATCH_INTERVAL: '800ms' }).message,
    /^watch\.threshold \(1s\) must be at least twice watch\.interval \(1s600ms\)$/,
  );
});
