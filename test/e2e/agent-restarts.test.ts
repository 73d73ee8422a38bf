import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { recordings } from '../agent/crashes/parts.ts';
import { endPrograms, folderWith } from '../fixtures/faults/program.ts';
import { DIED, goesOn, JOBS, startWith, telemetryOf } from '../fixtures/faults/restarts.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';

let sink: OtlpSink;

before(async () => {
  sink = await startSink();
});
after(async () => {
  endPrograms();
  await sink.down();
});

test('an agent that died is started again: the next one reads on, and tells of it', () =>
  goesOn(sink, 'dies', /Error: thrown on purpose/));

test('alerts and recordings go on with the next agent as they were', async () => {
  const folder = folderWith({
    'always.yaml': 'groups: [{ name: g, rules: [{ alert: Always, expr: vector(1) }] }]',
  });
  const state = join(folder.path, 'state');
  const filesOf = (kind: string) => readdirSync(state).filter((name) => name.startsWith(kind));
  const FAULTY_WHEN = join(folder.path, 'now');
  const program = startWith(sink, 'dies', '1', {
    OTEL_SERVICE_NAME: 'kept',
    FAULTY_WHEN,
    TASKWARDEN_STATE_DIR: state,
    TASKWARDEN_RULES: join(folder.path, 'always.yaml'),
    TASKWARDEN_RECORDER: 'event',
  });
  const { alerts, restarted } = telemetryOf(sink, 'kept');
  program.tell(`run ${JOBS}`);
  await sink.waitFor(() => alerts('Always').length > 0 && filesOf('alerts-').length > 0);
  writeFileSync(FAULTY_WHEN, '');
  await program.stderr(DIED);
  await restarted();
  assert.equal(filesOf('flight-').length, 1);
  assert.equal(filesOf('alerts-').length, 1);
  const fired = alerts('Always').map(({ attributes }) => attributes['taskwarden.alert.active_at']);
  assert.deepEqual(fired, [fired[0], fired[0]], 'it fires again, with its old start');
  program.tell(`block ${join(folder.path, 'never')}`);
  program.tell('end');
  // Written by the main thread itself, into the file that the former agent has opened.
  const inFlight = () => recordings(state).flatMap(({ runs }) => runs.map(({ task }) => task.task));
  await sink.waitFor(() => inFlight().length > 0);
  program.child.kill('SIGKILL');
  await program.ended;
  assert.deepEqual(inFlight(), ['block']);
  folder.remove();
});
