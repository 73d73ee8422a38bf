import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { REGISTER } from '../helpers/built.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';
import { type Ended, type Program, runProgram, startProgram } from '../helpers/worker.ts';

const FIXTURES = resolve(import.meta.dirname, '../fixtures/preload');
const EXIT = resolve(FIXTURES, 'exit.ts');
const OFTEN = { OTEL_METRIC_EXPORT_INTERVAL: '100' };

/** A program that has made its first run, and whose agent is up. */
async function start(way: string): Promise<{ sink: OtlpSink; program: Program }> {
  const sink = await startSink();
  const program = startProgram(EXIT, { args: [way], sink, env: OFTEN });
  await sink.waitFor(() => runsCounted(sink) === 1);
  return { sink, program };
}

const HAS_TASKSET = spawnSync('taskset', ['--version']).status === 0;

async function bare(way: string): Promise<Ended> {
  const program = startProgram(EXIT, { args: [way], preload: 'none' });
  program.tell('go on');
  return program.ended;
}

function runsCounted(sink: OtlpSink): number {
  return Math.max(0, ...sink.metrics.filter(({ name }) => name === 'task.runs').map(({ value }) => value));
}

function jobs(sink: OtlpSink): unknown[] {
  return sink.spans.map(({ attributes }) => attributes['messaging.message.id']);
}

/** How a program ended, without what differs from run to run. */
function outcome({ code, signal, stdout, stderr }: Ended): Omit<Ended, 'ms'> {
  return { code, signal, stdout, stderr };
}

describe('the last run arrives, and the program ends as without the preload', { concurrency: 3 }, () => {
  for (const [way, code] of Object.entries({ end: 0, exit: 3, exitCode: 4, throw: 1, reject: 1 })) {
    test(way, async () => {
      const [{ sink, program }, expected] = await Promise.all([start(way), bare(way)]);
      assert.equal(expected.code, code);
      program.tell('go on');
      assert.deepEqual(outcome(await program.ended), outcome(expected));
      assert.ok(jobs(sink).includes('last'), `spans of ${jobs(sink)}`);
      assert.equal(runsCounted(sink), 2);
      await sink.down();
    });
  }

  test('what is exported last is of the end, not of the last step', async () => {
    const { sink, program } = await start('end');
    await sleep(1500);
    program.tell('go on');
    await program.ended;
    const uptimes = sink.metrics.filter(({ name }) => name === 'process.uptime').map(({ value }) => value);
    assert.ok(uptimes.at(-1)! >= uptimes[0]! + 1.4, `${uptimes}`);
    await sink.down();
  });

  // There the agent waits for the first run before it loads.
  test('end, with a single CPU', { skip: HAS_TASKSET ? false : 'needs taskset (util-linux)' }, async () => {
    const sink = await startSink();
    const program = startProgram(EXIT, { args: ['end'], sink, env: OFTEN, onOneCpu: true });
    await sink.waitFor(() => runsCounted(sink) === 1);
    program.tell('go on');
    assert.equal((await program.ended).code, 0);
    assert.ok(jobs(sink).includes('last'));
    await sink.down();
  });

  test('a program without runs, with a single CPU', {
    skip: HAS_TASKSET ? false : 'needs taskset (util-linux)',
  }, async () => {
    const sink = await startSink();
    const program = startProgram(resolve(FIXTURES, 'idle.mjs'), { sink, env: OFTEN, onOneCpu: true });
    await sink.waitFor(() => sink.metrics.length > 0);
    program.child.kill();
    await program.ended;
    await sink.down();
  });

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    test(`${signal} that nobody listens to`, async () => {
      const { sink, program } = await start('signal');
      program.tell('go on');
      await program.said('ready');
      program.child.kill(signal);
      assert.deepEqual(outcome(await program.ended), { code: null, signal, stdout: 'ready\n', stderr: '' });
      assert.ok(jobs(sink).includes('last'));
      assert.equal(runsCounted(sink), 2);
      await sink.down();
    });
  }

  test('SIGTERM that the host closes itself at', async () => {
    const { sink, program } = await start('handler');
    program.tell('go on');
    await program.said('ready');
    program.child.kill('SIGTERM');
    assert.equal((await program.ended).code, 7);
    assert.ok(jobs(sink).includes('closing'));
    assert.equal(runsCounted(sink), 3);
    await sink.down();
  });

  test('SIGTERM that the host takes no notice of', async () => {
    const { sink, program } = await start('stays');
    program.tell('go on');
    await program.said('ready');
    program.child.kill('SIGTERM');
    await program.said('stays');
    program.tell('end');
    assert.equal((await program.ended).code, 8);
    assert.ok(jobs(sink).includes('last'));
    await sink.down();
  });

  test('a second SIGTERM, when the host listens once', async () => {
    const { sink, program } = await start('once');
    program.tell('go on');
    await program.said('ready');
    program.child.kill('SIGTERM');
    await program.said('first');
    program.child.kill('SIGTERM');
    assert.equal((await program.ended).signal, 'SIGTERM');
    assert.ok(jobs(sink).includes('last'));
    await sink.down();
  });
});

test('spans of runs from before the exporters are there arrive', async () => {
  const { sink, program } = await start('exit');
  program.tell('go on');
  await program.ended;
  assert.deepEqual(jobs(sink).sort(), ['last', 'start']);
  await sink.down();
});

describe('the end waits a second at most for an endpoint', { concurrency: 3 }, () => {
  // What an end takes beyond the wait itself, on a machine that does much else.
  const SLACK_MS = 1500;

  for (const way of ['exit', 'signal']) {
    test(`that hangs: ${way}`, async () => {
      const { sink, program } = await start(way);
      sink.fault = { delayMs: 60_000 };
      const started = performance.now();
      program.tell('go on');
      if (way === 'signal') {
        await program.said('ready');
        program.child.kill('SIGTERM');
      }
      const { code, signal, stderr } = await program.ended;
      assert.ok(performance.now() - started < 1000 + SLACK_MS);
      assert.deepEqual([code, signal, stderr], way === 'exit' ? [3, null, ''] : [null, 'SIGTERM', '']);
      await sink.down();
    });

    test(`that is down: ${way}`, async () => {
      const { sink, program } = await start(way);
      await sink.down();
      const started = performance.now();
      program.tell('go on');
      if (way === 'signal') {
        await program.said('ready');
        program.child.kill('SIGTERM');
      }
      const { code, signal, stderr } = await program.ended;
      assert.ok(performance.now() - started < 1000 + SLACK_MS);
      assert.deepEqual([code, signal, stderr], way === 'exit' ? [3, null, ''] : [null, 'SIGTERM', '']);
    });
  }
});

test('a program that has nothing to say does not wait for the agent', async () => {
  const sink = await startSink();
  const { code, stdout, stderr } = await runProgram(resolve(FIXTURES, 'nothing.mjs'), { sink });
  assert.deepEqual([code, stdout, stderr], [0, 'nothing\n', '']);
  assert.equal(sink.requests.length, 0);
  await sink.down();
});

test('a signal that was ignored at the start does what it does without the preload', () => {
  const program = "setInterval(() => {}, 1000); process.kill(process.pid, 'SIGTERM')";
  const end = (...options: string[]) => {
    const args = ['-c', `trap '' TERM; exec "$@"`, 'sh', process.execPath, ...options, '-e', program];
    const { status, signal } = spawnSync('/bin/sh', args, { timeout: 20_000, killSignal: 'SIGKILL' });
    return { status, signal };
  };
  assert.deepEqual(end('--import', REGISTER), end());
});
