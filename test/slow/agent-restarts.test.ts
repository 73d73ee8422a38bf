import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Claims } from '../../src/agent/crashes/claim.ts';
import { thisMachine } from '../../src/agent/crashes/identity.ts';
import { isRunning, ownProcess } from '../../src/agent/process-id.ts';
import { endPrograms, folderWith } from '../fixtures/faults/program.ts';
import { countOf, DIED, goesOn, JOBS, startWith } from '../fixtures/faults/restarts.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';

let sink: OtlpSink;

before(async () => {
  sink = await startSink();
});
after(async () => {
  endPrograms();
  await sink.down();
});

/** Longest flush of a process without an agent, ms: less than the flush's own limit of a second. */
const QUICK_MS = 800;

describe('an agent that died is started again', { concurrency: 3 }, () => {
  test('of its memory limit', () => goesOn(sink, 'grows', /ERR_WORKER_OUT_OF_MEMORY/));
  test('of itself', () => goesOn(sink, 'leaves', /the agent thread ended by itself \(0\)/));
  test('with the runs of a thread that is not the main one', () =>
    goesOn(sink, 'dies', /Error: thrown on purpose/, 'threads.ts'));
  test('an end in good order while there is none leaves no runs to be told of', async () => {
    const { path, remove } = folderWith({});
    const env = {
      OTEL_SERVICE_NAME: 'alone',
      TASKWARDEN_STATE_DIR: path,
      TASKWARDEN_RECORDER: 'event',
    };
    const program = startWith(sink, 'dies', '1e9', env);
    program.tell(`run ${JOBS}`);
    await program.stderr(DIED);
    const flights = () => readdirSync(path).filter((name) => name.startsWith('flight-'));
    assert.equal(flights().length, 1);
    program.tell('end');
    assert.equal((await program.ended).code, 0);
    const claims = new Claims({
      folder: { path, isShared: false },
      machine: thisMachine(),
      self: ownProcess(),
      isRunning,
      now: Date.now,
      onIgnored: assert.fail,
    });
    assert.deepEqual(claims.take(), []);
    assert.deepEqual(flights(), []);
    remove();
  });
  test('again and again: told once, and the end of the process waits for none', async () => {
    const program = startWith(sink, 'again', '1e9');
    program.tell(`run ${JOBS}`);
    await program.stderr(/(an agent dies.*){3}/s);
    program.tell('end');
    const { code, stderr, lines } = await program.ended;
    assert.equal(code, 0, stderr);
    assert.equal(countOf(stderr, DIED), 1, stderr);
    assert.ok((lines.at(-1)?.exitMs as number) < QUICK_MS);
  });
});
