import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Claims } from '../../src/agent/crashes/claim.ts';
import { thisMachine } from '../../src/agent/crashes/identity.ts';
import { isRunning, ownProcess } from '../../src/agent/process-id.ts';
import { recordings, untilRecorded } from '../agent/crashes/parts.ts';
import { openPlace, worker } from '../fixtures/actions/workers.ts';
import { endPrograms, folderWith } from '../fixtures/faults/program.ts';
import { countOf, DIED, goesOn, JOBS, startWith, telemetryOf } from '../fixtures/faults/restarts.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';

let sink: OtlpSink;

before(async () => {
  sink = await startSink();
});
after(async () => {
  endPrograms();
  await sink.down();
});

/** Ids of the jobs that dead processes had in flight. */
function lostIn(path: string): string[] {
  const claims = new Claims({
    folder: { path, isShared: false },
    machine: thisMachine(),
    self: ownProcess(),
    isRunning,
    now: Date.now,
    onIgnored: assert.fail,
  });
  return claims.take().flatMap(({ recording }) => recording.runs.map(({ jobId }) => jobId));
}

/** Longest flush of a process without an agent, ms: less than the flush's own limit of a second. */
const QUICK_MS = 800;

describe('an agent that died is started again', { concurrency: 3 }, () => {
  test('of its memory limit', () => goesOn(sink, 'grows', /ERR_WORKER_OUT_OF_MEMORY/));
  test('of itself', () => goesOn(sink, 'leaves', /the agent thread ended by itself \(0\)/));
  test('with the runs of a thread that is not the main one', () =>
    goesOn(sink, 'dies', /Error: thrown on purpose/, 'threads.ts'));
  test('where Taskwarden was stopped and started again before', () =>
    goesOn(sink, 'dies', /Error: thrown on purpose/, 'begun-anew.ts', '2'));
  test('whose rules cannot be read: told once, and tried again until they can', async () => {
    const { path, remove } = folderWith({ 'own.yaml': 'groups: []' });
    const rules = join(path, 'own.yaml');
    const FAULTY_WHEN = join(path, 'now');
    const env = { FAULTY_WHEN, OTEL_SERVICE_NAME: 'mended', TASKWARDEN_RULES: rules };
    const program = startWith(sink, 'dies', '1', env);
    await program.line('started');
    writeFileSync(rules, 'groups: [{ name: g, rules: [{ alert: A, expr: ( }] }]');
    writeFileSync(FAULTY_WHEN, '');
    await program.stderr(/fault in agent thread.*own\.yaml/);
    writeFileSync(rules, 'groups: []');
    const { points } = telemetryOf(sink, 'mended');
    await sink.waitFor(
      () => points().some(({ name, value }) => name === 'taskwarden.agent.restarts' && value > 1),
      20_000,
    );
    program.tell('end');
    const { code, stderr } = await program.ended;
    assert.equal(code, 0, stderr);
    assert.equal(countOf(stderr, DIED), 2, stderr);
    remove();
  });
  test('an end in good order while there is none leaves no runs to be told of', async () => {
    const { path, remove } = folderWith({});
    const env = {
      OTEL_SERVICE_NAME: 'alone',
      TASKWARDEN_STATE_DIR: path,
      TASKWARDEN_RECORDER: 'event',
      FAULTY_WHEN: join(path, 'now'),
    };
    const program = startWith(sink, 'dies', '1e9', env);
    const flights = () => readdirSync(path).filter((name) => name.startsWith('flight-'));
    await sink.waitFor(() => flights().length > 0);
    writeFileSync(env.FAULTY_WHEN, '');
    await program.stderr(DIED);
    program.tell('end');
    assert.equal((await program.ended).code, 0);
    assert.deepEqual(lostIn(path), []);
    assert.deepEqual(flights(), []);
    remove();
  });
  test('a worker that is killed while there is none: the run that has begun is lost, those that have ended are not', async () => {
    const { path, remove } = folderWith({});
    const FAULTY_WHEN = join(path, 'now');
    const env = { OTEL_SERVICE_NAME: 'orphan', TASKWARDEN_STATE_DIR: path, FAULTY_WHEN };
    const program = startWith(sink, 'dies', '1e9', env);
    program.tell(`block ${join(path, 'free')}`);
    await sink.waitFor(() => recordings(path).some(({ runs }) => runs.length > 0));
    writeFileSync(FAULTY_WHEN, '');
    writeFileSync(join(path, 'free'), '');
    await program.stderr(DIED);
    await program.line('blocked');
    program.tell('hold');
    await untilRecorded(path, 'held');
    program.child.kill('SIGKILL');
    await program.ended;
    assert.deepEqual(lostIn(path), ['held']);
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

test('workers that an agent has paused go on when it dies, and when Taskwarden stops', async () => {
  const place = await openPlace();
  const folder = folderWith({});
  const FAULTY_WHEN = join(folder.path, 'now');
  const w = await worker(place, 'orphaned', 'pause-queue', {
    before: ['swap-agent.ts'],
    env: { FAULTY_AGENT: 'dies', FAULTY_TIMES: '1', FAULTY_WHEN },
  });
  // It ends with the test: the alert about it does not end before.
  const innocent = await w.add('innocent', { steps: 1e6 });
  await w.line('paused');
  writeFileSync(FAULTY_WHEN, '');
  await w.line('resumed');
  assert.equal(await innocent.getState(), 'active');
  // The next agent knows nothing of the alert, and begins anew.
  await place.sink.waitFor(() => w.actions().length === 2, 20_000);
  assert.deepEqual(w.actions(), ['pause-queue done', 'pause-queue done']);
  w.tell('stop');
  await w.line('stopped');
  w.child.kill('SIGKILL');
  const { lines } = await w.ended;
  assert.deepEqual(
    lines.slice(1).map((line) => Object.keys(line)[0]),
    ['paused', 'resumed', 'paused', 'resumed', 'stopped'],
  );
  folder.remove();
  await place.end();
});
