import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { endPrograms, folderWith, hurried, startProgram } from '../fixtures/faults/program.ts';
import { startSink } from '../helpers/otlp-sink.ts';

const THRESHOLD_MS = 250;
const sink = await startSink();
const folder = folderWith({});

after(async () => {
  endPrograms();
  await sink.down();
  folder.remove();
});

test('a stopped process is no blocked loop, and the rule of a user fires when one is', async () => {
  const program = startProgram('steady.ts', {
    env: { ...hurried(sink.url), TASKWARDEN_WATCH_THRESHOLD: `${THRESHOLD_MS}ms` },
  });
  program.tell('run 20');
  await program.line('ran');
  const points = () => sink.requests.filter(({ signal }) => signal === 'metrics').length;
  const held = () =>
    sink.logs.filter(({ attributes }) =>
      String(attributes['taskwarden.alert.name']).match(/LoopHeld|Blocks/),
    );
  await sink.waitFor(() => points() >= 2);

  for (let round = 0; round < 3; round++) {
    program.child.kill('SIGSTOP');
    await sleep(3 * THRESHOLD_MS);
    program.child.kill('SIGCONT');
    const seen = points();
    await sink.waitFor(() => points() >= seen + 3);
  }
  assert.deepEqual(held(), []);
  const lag = sink.metrics.filter(({ name }) => name === 'task.event_loop.blocked');
  assert.deepEqual(lag, [], 'nobody is suspected');

  const file = join(folder.path, 'go-on');
  program.tell(`block ${file}`);
  const alert = await sink.waitFor(() => held()[0]);
  writeFileSync(file, '');
  assert.deepEqual(await program.line('blocked'), { blocked: true });
  assert.equal(alert.body, 'block holds the loop');
  assert.equal(alert.attributes['taskwarden.alert.label.team'], 'numbers');
  assert.equal(alert.attributes['task.name'], 'block');
  assert.equal(alert.severityText, 'ERROR');
  const resolved = await sink.waitFor(() =>
    held().find(({ attributes }) => attributes['taskwarden.alert.state'] === 'resolved'),
  );
  assert.equal(
    resolved.attributes['taskwarden.alert.fingerprint'],
    alert.attributes['taskwarden.alert.fingerprint'],
  );
  program.tell('end');
  const { code, stderr } = await program.ended;
  assert.equal(stderr, '');
  assert.equal(code, 0);
});
