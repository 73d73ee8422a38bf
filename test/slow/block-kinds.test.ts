import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { endPrograms, folderWith, type Program, startProgram } from '../fixtures/faults/program.ts';
import type { ReceivedLog } from '../helpers/otlp-items.ts';
import { startSink } from '../helpers/otlp-sink.ts';

/** How long is waited for what a busy machine may take long for, ms. */
const LIMIT_MS = 20_000;
const sink = await startSink();
const folder = folderWith({});
after(async () => {
  endPrograms();
  await sink.down();
  folder.remove();
});

function start(service: string, nodeArgs: readonly string[] = []): Program {
  return startProgram('kinds.ts', {
    nodeArgs,
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_SERVICE_NAME: service,
      OTEL_METRIC_EXPORT_INTERVAL: '100',
      TASKWARDEN_RULES: 'test/fixtures/faults/kinds.rules.yaml',
    },
  });
}

const alerts = (service: string, state: string): ReceivedLog[] =>
  sink.logs.filter(
    ({ resource, attributes }) =>
      resource['service.name'] === service &&
      attributes['taskwarden.alert.state'] === state &&
      /HoldLoop|HoldsLoop/.test(String(attributes['taskwarden.alert.name'])),
  );
// Where nobody keeps track of the holder, all tasks in flight are suspected.
const guilty = (service: string, state: string): ReceivedLog[] =>
  alerts(service, state).filter(({ attributes }) => attributes['task.name'] === 'guilty');
const counted = (service: string, name: string): number =>
  sink.metrics
    .filter((point) => point.resource['service.name'] === service && point.name === name)
    .reduce((most, { value = 0 }) => Math.max(most, value), 0);
const ready = (service: string) => sink.waitFor(() => counted(service, 'task.runs') > 0, LIMIT_MS);

test('an alert tells what kind of block it is, and its end how long it was', async () => {
  const program = start('kinds');
  await ready('kinds');
  for (const [n, [way, ms, expected, stack]] of (
    [
      ['spin', 20_000, 'code', /^at Object.spin .*kinds\.ts:\d+:\d+\)\nat block /m],
      ['child', 20_000, 'child_process', undefined],
      ['native', 1500, 'native', undefined],
      ['gc', 2500, 'gc', /^at Object\.gc .*\nat block /m],
      ['wait', 2500, 'code', /^at Atomics\.wait .*\nat Object.wait .*\nat block /],
    ] as const
  ).entries()) {
    const file = join(folder.path, way);
    program.tell(`${way} ${ms} ${file}`);
    const alert = await sink.waitFor(() => guilty('kinds', 'firing')[n], LIMIT_MS);
    writeFileSync(file, '');
    const { attributes } = alert;
    assert.equal(attributes['taskwarden.alert.name'], 'GuiltyHoldsLoop');
    assert.equal(attributes['taskwarden.block.class'], expected, way);
    assert.equal((attributes['taskwarden.alert.runs.messaging.message.id'] as string[])[0], way);
    if (stack === undefined) assert.equal(attributes['code.stacktrace'], undefined, 'native code gives none');
    else assert.match(String(attributes['code.stacktrace']), stack);
    const so = Number(attributes['taskwarden.block.duration']);
    assert.ok(so > 0.3 && so < LIMIT_MS / 1000, `${way} has lasted ${so} s`);

    const { attributes: end } = await sink.waitFor(() => guilty('kinds', 'resolved')[n], LIMIT_MS);
    const whole = Number(end['taskwarden.block.duration']);
    // Those that are not told to end last at least half as long as they are told, however badly that is known.
    const least = way === 'wait' || way === 'gc' ? 1.5 : way === 'native' ? 0.7 : so;
    assert.ok(whole >= least && whole >= so, `${way} lasted ${whole} s`);
    assert.equal(end['taskwarden.block.count'], 1);
    assert.equal(end['taskwarden.block.class'], expected, way);
    if (stack === undefined)
      assert.match(String(end['code.stacktrace']), /kinds\.ts/, 'it came when the call returned');
  }
  program.tell('end');
  const { stderr, code } = await program.ended;
  assert.equal(code, 0);
  assert.doesNotMatch(stderr, /debugger/i);
});

test('a process that ends within a block says nothing of a debugger', async () => {
  const program = start('ends');
  await ready('ends');
  const file = join(folder.path, 'ends');
  program.tell(`spin 20000 ${file}`);
  await sink.waitFor(() => alerts('ends', 'firing')[0], LIMIT_MS);
  writeFileSync(file, '');
  program.tell('end');
  const { stderr, code } = await program.ended;
  assert.equal(code, 0);
  assert.doesNotMatch(stderr, /debugger/i);
});

test('a loop that a debugger has paused is no block of a task', async () => {
  const program = start('paused', ['--inspect=127.0.0.1:0']);
  const listening = /Debugger listening on (ws:\/\/\S+)/;
  await program.stderr(listening);
  const url = listening.exec(program.stderrText())![1]!;
  await ready('paused');
  const socket = new WebSocket(url);
  await once(socket, 'open');
  const heard: string[] = [];
  socket.addEventListener('message', ({ data }) => heard.push(String(data)));
  let id = 0;
  const send = (method: string): void => socket.send(JSON.stringify({ id: ++id, method }));
  const runs = async (): Promise<void> => {
    const before = counted('paused', 'task.runs');
    await sink.waitFor(() => counted('paused', 'task.runs') > before + 10);
  };
  // To tell the debugger of all modules may take a busy machine longer than a block may last.
  send('Debugger.enable');
  await runs();
  const earlier = alerts('paused', 'firing').length;
  for (let round = 0; round < 2; round++) {
    send('Debugger.pause');
    await sink.waitFor(() => counted('paused', 'taskwarden.blocks.excused') > round);
    assert.equal(
      heard.filter((text) => text.includes('"Debugger.resumed"')).length,
      round,
      'the pause goes on',
    );
    send('Debugger.resume');
    await runs();
  }
  assert.equal(alerts('paused', 'firing').length, earlier);
  socket.close();
  const file = join(folder.path, 'paused');
  program.tell(`spin 20000 ${file}`);
  await sink.waitFor(() => alerts('paused', 'firing')[earlier], LIMIT_MS);
  writeFileSync(file, '');
  program.tell('end');
  assert.equal((await program.ended).code, 0);
});

test('where the inspector is not allowed, alerts come without a stack, and that is told once', async () => {
  const net = process.allowedNodeEnvironmentFlags.has('--allow-net') ? ['--allow-net'] : [];
  const program = start('barred', ['--permission', '--allow-fs-read=*', '--allow-worker', ...net]);
  await ready('barred');
  for (let n = 0; n < 2; n++) {
    const file = join(folder.path, `barred-${n}`);
    program.tell(`spin 20000 ${file}`);
    const { attributes } = await sink.waitFor(() => guilty('barred', 'firing')[n], LIMIT_MS);
    writeFileSync(file, '');
    assert.equal(attributes['code.stacktrace'], undefined);
    assert.equal(attributes['task.name'], 'guilty');
    await sink.waitFor(() => guilty('barred', 'resolved')[n], LIMIT_MS);
  }
  program.tell('end');
  const { stderr, code } = await program.ended;
  assert.equal(code, 0);
  assert.equal(stderr.match(/--allow-inspector/g)?.length, 1, stderr);
});
