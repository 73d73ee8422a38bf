import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { folder, recordings, untilRecorded } from '../agent/crashes/parts.ts';
import {
  alertsOf,
  crashes,
  crashesOf,
  die,
  env,
  nextStart,
  recordingsIn,
  WORKER,
} from '../fixtures/crashes/deaths.ts';
import { CLI } from '../helpers/built.ts';
import { startSink } from '../helpers/otlp-sink.ts';
import { startProgram } from '../helpers/worker.ts';

test('deaths of every kind, told once by one of several processes that start together', async () => {
  const sink = await startSink();
  const state = folder();
  const ends = await Promise.all([
    die('stays', state),
    die('throw', state),
    die('heap', state, ['--max-old-space-size=64']),
    die('exit', state),
  ]);
  assert.deepEqual(
    ends.map(({ code, signal }) => signal ?? code),
    ['SIGKILL', 1, 'SIGABRT', 3],
  );
  const starters = [1, 2, 3].map(() => startProgram(WORKER, { args: ['ends'], env: env(state), sink }));
  await sink.waitFor(() => crashes(sink).length >= 4, 60_000);
  await Promise.all(starters.map((one) => one.said('ready')));
  for (const one of starters) one.tell('go');
  for (const { code } of await Promise.all(starters.map((one) => one.ended))) assert.equal(code, 0);
  for (const [job, cause] of [
    ['stays', 'unknown'],
    ['throw', 'exception'],
    ['exit', 'exit'],
    ['heap', undefined],
  ] as const) {
    const found = crashesOf(sink, job);
    assert.equal(found.length, 1, job);
    if (cause !== undefined) assert.equal(found[0]!.attributes['taskwarden.crash.cause'], cause);
    assert.equal(alertsOf(sink, 'TaskCrashedWorker', job).length, 1, job);
  }
  assert.deepEqual(recordingsIn(state), []);
  await sink.down();
});

test('what is told to stop and dies of it makes an event, and no alert', async () => {
  const sink = await startSink();
  const state = folder();
  const program = startProgram(WORKER, { args: ['stays', 'long'], env: env(state) });
  await untilRecorded(state, 'long');
  program.child.kill('SIGTERM');
  assert.equal((await program.ended).signal, 'SIGTERM');
  await nextStart(state, sink, 1);
  assert.equal(crashes(sink)[0]!.attributes['taskwarden.crash.cause'], 'terminated');
  assert.equal(alertsOf(sink, 'TaskCrashedWorker', 'long').length, 0);
  assert.deepEqual(
    readdirSync(state).filter((name) => name.startsWith('deaths')),
    [],
  );
  await sink.down();
});

test('with recorder: event a run that has only begun is known', async () => {
  const sink = await startSink();
  const state = folder();
  const program = startProgram(WORKER, {
    args: ['exit', 'young'],
    env: { ...env(state), TASKWARDEN_RECORDER: 'event' },
  });
  await untilRecorded(state, 'young');
  program.child.kill('SIGKILL');
  await program.ended;
  assert.deepEqual(
    recordings(state)
      .flatMap(({ runs }) => runs.map(({ task }) => task.task))
      .sort(),
    ['deadly', 'sleep'],
  );
  await nextStart(state, sink, 1);
  assert.equal(alertsOf(sink, 'TaskCrashedWorker', 'young').length, 1);
  await sink.down();
});

describe('taskwarden run', { concurrency: 1 }, () => {
  test('names a job that kills one worker after the other, and so does a start after that', async () => {
    const sink = await startSink();
    const state = folder();
    const { PATH = '', HOME = '' } = process.env;
    const child = spawn(
      process.execPath,
      [CLI, 'run', '--restart=2', '--backoff=10ms', '--', process.execPath, WORKER, 'stays', 'poison'],
      {
        env: { PATH, HOME, ...env(state), OTEL_EXPORTER_OTLP_ENDPOINT: sink.url },
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    );
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    process.once('exit', () => child.kill('SIGKILL'));
    const ended = once(child, 'close');
    const killed = new Set<number>();
    while (killed.size < 3) {
      const alive = recordings(state).find(
        ({ identity, runs }) => !killed.has(identity.pid) && runs.some(({ jobId }) => jobId === 'poison'),
      );
      if (alive === undefined) await delay(25);
      else {
        killed.add(alive.identity.pid);
        process.kill(alive.identity.pid, 'SIGKILL');
      }
    }
    const [code] = await ended;
    assert.equal(code, 137);
    assert.equal(stderr.match(/was killed by SIGKILL/g)?.length, 3);
    assert.equal(
      stderr.match(/poison: job poison of task deadly \(queue images\) was in flight at 3 deaths/g)?.length,
      1,
    );
    assert.equal(alertsOf(sink, 'TaskPoison', 'poison').length, 1);
    assert.equal(crashes(sink).length, 3);
    assert.deepEqual(recordingsIn(state), []);
    const later = startProgram(WORKER, { args: ['ends'], env: env(state), sink });
    await sink.waitFor(() => alertsOf(sink, 'TaskPoison', 'poison').length === 2, 30_000);
    later.tell('go');
    await later.ended;
    assert.equal(crashes(sink).length, 3);
    await sink.down();
  });
});
