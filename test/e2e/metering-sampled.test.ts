import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { describe, test } from 'node:test';
import { lastPoints } from '../fixtures/bullmq/run.ts';
import { startSink } from '../helpers/otlp-sink.ts';
import { type Program, type ProgramOptions, startProgram } from '../helpers/worker.ts';

const FIXTURE = resolve(import.meta.dirname, '../fixtures/metering/busy.ts');
const net = process.allowedNodeEnvironmentFlags.has('--allow-net') ? ['--allow-net'] : [];
const PERMISSION = [
  '--disable-warning=SecurityWarning',
  '--disable-warning=ExperimentalWarning',
  '--permission',
  '--allow-fs-read=*',
  '--allow-worker',
  ...net,
];

async function run(
  way: string,
  options: Partial<ProgramOptions> = {},
  meanwhile: (program: Program) => void = () => {},
) {
  const sink = await startSink();
  const env = {
    TASKWARDEN_CPU_MODE: 'sampled',
    TASKWARDEN_STATE_DIR: 'off',
    // What a busy machine has the agent say is not looked for here.
    TASKWARDEN_RULES_BUDGET: '10s',
    ...options.env,
  };
  const program = startProgram(FIXTURE, { args: [way], sink, limitMs: 60_000, ...options, env });
  meanwhile(program);
  const ended = await program.ended;
  await sink.down();
  const points = lastPoints(sink, 'task.cpu.time', { 'task.name': 'busy' });
  const seconds = (quality: string) =>
    points.find(({ attributes }) => attributes['task.cpu.quality'] === quality)?.value ?? 0;
  return { ...ended, seconds };
}

describe('samples', { concurrency: 2 }, () => {
  for (const [way, code] of Object.entries({ exit: 3, signal: null })) {
    test(`of a run that is interrupted; the process ends as it would (${way})`, async () => {
      const { code: exit, stderr, stdout, seconds } = await run(way);
      assert.deepEqual([exit, stderr], [code, '']);
      assert.deepEqual(JSON.parse(stdout), { samples: true, quality: 'sync_only' });
      assert.ok(seconds('sampled') > 0);
    });
  }

  test('the process that an error ends says nothing but the error', async () => {
    const { code, stderr, seconds } = await run('throw');
    assert.equal(code, 1);
    assert.match(stderr, /Error: on purpose/);
    assert.doesNotMatch(stderr, /debugger/i);
    assert.ok(seconds('sampled') > 0);
  });

  test('under --permission without the inspector: told once, and the part before the first await is counted', async () => {
    const { code, stderr, stdout, seconds } = await run('end', { before: PERMISSION }, (program) => {
      program.child.stderr!.once('data', () => program.tell('enough'));
    });
    assert.equal(code, 0);
    assert.match(stderr, /^taskwarden: [^\n]*CPU time cannot be sampled[^\n]*\n$/);
    assert.deepEqual(JSON.parse(stdout), { samples: false, quality: 'sync_only' });
    assert.equal(seconds('sampled'), 0);
    assert.ok(seconds('sync_only') > 0);
  });
});
