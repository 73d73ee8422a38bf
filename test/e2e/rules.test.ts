import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { endPrograms, folderWith, type Program, startProgram } from '../fixtures/faults/program.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';

const rule = (name: string, expr: string) =>
  `groups:\n- name: g\n  interval: 100ms\n  rules:\n  - {alert: ${name}, expr: "${expr}", for: 0s}\n`;

let sink: OtlpSink;
let folder: ReturnType<typeof folderWith>;

before(async () => {
  sink = await startSink();
});
beforeEach(() => {
  folder = folderWith({ 'r.yaml': rule('Ran', 'task_runs_total > 0') });
});
afterEach(() => folder.remove());
after(async () => {
  endPrograms();
  await sink.down();
});

const start = (env: Record<string, string> = {}, preloads: string[] = []): Program =>
  startProgram('steady.ts', {
    before: preloads,
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_METRIC_EXPORT_INTERVAL: '100',
      TASKWARDEN_STORE_STEP: '100ms',
      TASKWARDEN_SHIPPED_RULES: 'false',
      TASKWARDEN_LOG_LEVEL: 'info',
      TASKWARDEN_RULES: join(folder.path, 'r.yaml'),
      ...env,
    },
  });

async function end(program: Program): Promise<string> {
  program.tell('end');
  const { code, stderr } = await program.ended;
  assert.equal(code, 0, stderr);
  return stderr;
}

test('alerts of a worker that was killed go on in the next', async () => {
  const state = join(folder.path, 'state');
  const env = { TASKWARDEN_STATE_DIR: state, OTEL_SERVICE_NAME: 'killed' };
  const files = (): string[] => {
    try {
      return readdirSync(state).filter((name) => name.endsWith('.json'));
    } catch {
      return []; // The folder comes with the first alert.
    }
  };
  const first = start(env);
  first.tell('run 1');
  for (let n = 0; files().length === 0; n++) {
    assert.ok(n < 400, 'no alert was kept');
    await sleep(50);
  }
  first.child.kill('SIGKILL');
  await first.ended;
  const path = join(state, files()[0]!);
  const kept = JSON.parse(readFileSync(path, 'utf8'));
  // As if it had held for a while already.
  const since = kept.alerts[0].activeAt - 1_000_000;
  writeFileSync(path, JSON.stringify({ ...kept, alerts: [{ ...kept.alerts[0], activeAt: since }] }));

  const second = start(env);
  second.tell('run 1');
  await sink.waitFor(() =>
    sink.metrics.some(
      ({ name, value, resource }) =>
        name === 'ALERTS_FOR_STATE' &&
        resource['service.name'] === 'killed' &&
        value === Math.floor(since / 1000),
    ),
  );
  await end(second);
  const [left, ...more] = files();
  assert.deepEqual(more, []);
  assert.match(left!, new RegExp(`-${second.child.pid}-\\d+\\.json$`));
  assert.equal(JSON.parse(readFileSync(join(state, left!), 'utf8')).alerts[0].activeAt, since);
});

test('rules are read again when their file changes; a broken one is refused, and the worker ends as ever', async () => {
  const program = start();
  program.tell('run 1');
  await program.line('ran');
  writeFileSync(join(folder.path, 'r.yaml'), rule('Ran', 'task_runs_total >'));
  await program.stderr(/r\.yaml:5:\d+: .*; the rules stay as they were/);
  writeFileSync(join(folder.path, 'r.yaml'), rule('Renamed', 'task_runs_total > 0'));
  await program.stderr(/rules were read again: 1 groups/);
  await sink.waitFor(() =>
    sink.logs.some(({ attributes }) => attributes['taskwarden.alert.name'] === 'Renamed'),
  );
  await end(program);
});

test('SIGHUP has them read again where the host listens to it, whatever else it does', async () => {
  const program = start({ TASKWARDEN_RULES_RELOAD: 'true' }, ['hang-up.ts']);
  program.tell('run 1');
  await program.line('ran');
  program.child.kill('SIGHUP');
  await program.stderr(/rules were read again/);
  await program.line('hungUp');
  await end(program);
});

test('switched off, neither a change nor SIGHUP has an effect', async () => {
  const program = start({ TASKWARDEN_RULES_RELOAD: 'false' }, ['hang-up.ts']);
  program.tell('run 1');
  await program.line('ran');
  rmSync(join(folder.path, 'r.yaml'));
  program.child.kill('SIGHUP');
  await program.line('hungUp');
  program.tell('run 100');
  assert.doesNotMatch(await end(program), /read again|stay as they were/);
});
