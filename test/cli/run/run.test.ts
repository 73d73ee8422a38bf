import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { folder, untilRecorded } from '../../agent/crashes/parts.ts';
import { CLI } from '../../helpers/built.ts';
import { type OtlpSink, startSink } from '../../helpers/otlp-sink.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const WORKER = resolve(ROOT, 'test/fixtures/crashes/worker.ts');

/** `taskwarden run` with these arguments. */
function start(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [CLI, 'run', ...args], {
    env: {
      PATH,
      HOME,
      TASKWARDEN_STATE_DIR: 'off',
      OTEL_SDK_DISABLED: 'true',
      NODE_NO_WARNINGS: '1',
      ...env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const out = { stdout: '', stderr: '' };
  const watchers = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      out[name] += text;
      for (const look of watchers) look();
    });
  child.stdin.on('error', () => {});
  process.once('exit', () => child.kill('SIGKILL'));
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, ...out }));
  const said = (text: string): Promise<void> =>
    new Promise((done) => {
      const look = (): void => {
        if (out.stdout.includes(text)) done();
      };
      watchers.add(look);
      look();
    });
  return { child, ended, said, out };
}

const shell = (script: string, ...options: string[]) => start([...options, '--', '/bin/sh', '-c', script]);

describe('it ends as the worker does', { concurrency: 2 }, () => {
  test('an exit code, told in one line', async () => {
    const { code, stderr, stdout } = await shell('echo out; exit 7').ended;
    assert.deepEqual([code, stdout], [7, 'out\n']);
    assert.match(
      stderr,
      /^taskwarden: Worker \d+ of unknown_service:node ended with exit code 7 after \d+\.\d s with 0 tasks in flight\n$/,
    );
  });

  test('no word about an end in good order', async () => {
    assert.deepEqual(await shell('exit 0').ended, { code: 0, signal: null, stdout: '', stderr: '' });
  });

  test('a signal', async () => {
    const { code, stderr } = await shell('kill -SEGV $$').ended;
    assert.equal(code, 139);
    assert.match(stderr, /was killed by SIGSEGV/);
  });

  test('a command that cannot be run', async () => {
    assert.equal((await start(['--', '/nowhere/worker']).ended).code, 127);
    assert.equal((await start(['--', ROOT]).ended).code, 126);
  });

  test('wrong use', async () => {
    const { code, stderr } = await start(['--memory', 'much', '--', 'x']).ended;
    assert.equal(code, 2);
    assert.match(stderr, /^taskwarden: --memory: "much" is not allowed.*\n\nUsage:\n {2}taskwarden run/);
  });
});

test('signals are passed on, and one that ends the worker ends the supervisor', async () => {
  const script = 'trap "echo usr2" USR2; trap "echo hup" HUP; echo ready; while :; do sleep 0.05; done';
  const program = shell(script, '--restart');
  await program.said('ready');
  program.child.kill('SIGUSR2');
  await program.said('usr2');
  program.child.kill('SIGHUP');
  await program.said('hup');
  program.child.kill('SIGTERM');
  const { signal, stderr } = await program.ended;
  assert.deepEqual([signal, stderr], ['SIGTERM', '']);
});

test('a worker that takes its time to stop gets it, and its code is kept', async () => {
  const program = shell(
    'trap "echo stops; sleep 0.1; exit 5" INT; echo ready; while :; do sleep 0.05; done',
    '--restart',
  );
  await program.said('ready');
  program.child.kill('SIGINT');
  const { code, stdout, stderr } = await program.ended;
  assert.deepEqual([code, stdout, stderr], [5, 'ready\nstops\n', '']);
});

test('restarts with growing pauses, as often as is asked for', async () => {
  const { code, stdout, stderr } = await shell('echo run; exit 3', '--restart=2', '--backoff', '10ms').ended;
  assert.deepEqual([code, stdout], [3, 'run\nrun\nrun\n']);
  const plans = [...stderr.matchAll(/starting again in (\S+) \((\d of 2)\)/g)].map(([, pause, count]) => [
    pause,
    count,
  ]);
  assert.deepEqual(plans, [
    ['10ms', '1 of 2'],
    ['20ms', '2 of 2'],
  ]);
});

test('a signal to stop ends the pause before a restart', async () => {
  const program = shell('echo run; exit 3', '--restart', '--backoff', '1m');
  await program.said('run');
  await new Promise<void>((done) => program.child.stderr.once('data', () => done()));
  program.child.kill('SIGTERM');
  assert.equal((await program.ended).code, 3);
});

test('the preload comes by NODE_OPTIONS, beside those of the user and those of limits', async () => {
  const program = start(
    [
      '--limit-by',
      'node',
      '--memory',
      '256M',
      '--',
      'node',
      '-p',
      'process.env.NODE_OPTIONS + v8.getHeapStatistics().heap_size_limit',
    ],
    {
      NODE_OPTIONS: '--no-deprecation',
      TASKWARDEN_ENABLED: 'false',
      PATH: `${resolve(process.execPath, '..')}:${process.env.PATH}`,
    },
  );
  const { code, stdout, stderr } = await program.ended;
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /^--max-old-space-size=192 --no-deprecation --import=file:\/\/\S+\/dist\/register\.js\d+\n$/,
  );
  assert.match(stderr, /^taskwarden: memory 256M by --max-old-space-size=192/);
});

test('limits of a control group are in force, for the worker from its first moment, and are gone after it', async (t) => {
  const program = shell('echo $$; cat', '--memory', '64M', '--cpu', '0.5', '--limit-by', 'cgroup');
  const pid = await Promise.race([
    new Promise<string>((done) => program.child.stdout.once('data', (text) => done(String(text).trim()))),
    program.ended,
  ]);
  if (typeof pid !== 'string') return t.skip(`no control group may be written: ${pid.stderr}`);
  const limits = /by cgroup v([12]): (.*)/;
  const folders = limits.exec(program.out.stderr)![2]!.split(', ');
  const text = (name: string): string | undefined =>
    folders
      .map((folder) => join(folder, name))
      .filter(existsSync)
      .map((path) => readFileSync(path, 'utf8').trim())[0];
  assert.equal(text('memory.limit_in_bytes') ?? text('memory.max'), String(64 * 2 ** 20));
  const [quota, period] = (
    text('cpu.max') ?? `${text('cpu.cfs_quota_us')} ${text('cpu.cfs_period_us')}`
  ).split(' ');
  assert.equal(Number(quota) / Number(period), 0.5);
  assert.ok(text('cgroup.procs')?.split('\n').includes(pid), 'the shell has become the worker');
  program.child.stdin.end();
  await program.ended;
  assert.deepEqual(folders.filter(existsSync), []);
});

describe('a worker with tasks in flight', { concurrency: 1 }, () => {
  async function died(how: string, options: readonly string[], sink: OtlpSink) {
    const state = folder();
    const env = {
      TASKWARDEN_STATE_DIR: state,
      OTEL_SDK_DISABLED: 'false',
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_SERVICE_NAME: 'mailer',
    };
    const program = start([...options, '--', process.execPath, WORKER, how, 'job-9'], env);
    await untilRecorded(state, 'job-9');
    program.child.stdin.write('go\n');
    const ended = await program.ended;
    const firing = (name: string) =>
      sink.logs.filter(({ attributes }) => attributes['taskwarden.alert.name'] === name);
    return { ended, firing, left: readdirSync(state).filter((name) => /flight|claimed/.test(name)) };
  }

  test('that the kernel kills for its memory', async (t) => {
    const sink = await startSink();
    const { ended, firing, left } = await died('buffers', ['--memory', '200M'], sink);
    if (/is not in force|by --max-old-space-size/.test(ended.stderr))
      return t.skip(`no control group may be written: ${ended.stderr}`);
    assert.equal(ended.code, 137);
    assert.match(
      ended.stderr,
      /was killed by the kernel for want of memory after .* with 2 tasks in flight: .*deadly \(queue images, job job-9, attempt 1, /,
    );
    const alerts = firing('TaskCrashedWorker');
    assert.deepEqual(
      new Set(alerts.map(({ attributes }) => attributes['task.name'])),
      new Set(['deadly', 'sleep']),
    );
    const deadly = alerts.find(({ attributes }) => attributes['task.name'] === 'deadly')!;
    assert.equal(deadly.attributes['taskwarden.alert.label.task_crash_cause'], 'oom_kill');
    assert.deepEqual(deadly.attributes['taskwarden.alert.runs.messaging.message.id'], ['job-9']);
    assert.deepEqual(left, []);
    await sink.down();
  });
});
