import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { endPrograms, folderWith, type Program, startProgram } from '../fixtures/faults/program.ts';
import { mountDisk } from '../helpers/full-disk.ts';
import type { ReceivedLog } from '../helpers/otlp-items.ts';
import { startSink } from '../helpers/otlp-sink.ts';

const sink = await startSink();
const folder = folderWith({});
after(async () => {
  endPrograms();
  await sink.down();
  folder.remove();
});

function start(service: string, evidence: string, env: Record<string, string> = {}): Program {
  return startProgram('blocker.ts', {
    args: [join(folder.path, service), 'spin', 'stay'],
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_SERVICE_NAME: service,
      TASKWARDEN_RULES: 'test/fixtures/faults/evidence.rules.yaml',
      TASKWARDEN_EVIDENCE_DIR: evidence,
      TASKWARDEN_EVIDENCE_PROFILE: '500ms',
      ...env,
    },
  });
}

const of = (service: string, attribute: string, value: string) => (): ReceivedLog | undefined =>
  sink.logs.find(
    ({ resource, attributes }) => resource['service.name'] === service && attributes[attribute] === value,
  );

async function end(program: Program, service: string): Promise<string> {
  writeFileSync(join(folder.path, service), '');
  await program.line('outcome');
  program.tell('end');
  const { code, stderr } = await program.ended;
  assert.equal(code, 0);
  return stderr;
}

for (const cpuMode of ['auto', 'sync'])
  test(`what an alert asks for is written while the loop is blocked, and named in it: ${cpuMode}`, async () => {
    const service = `all-${cpuMode}`;
    const evidence = join(folder.path, `evidence-${cpuMode}`);
    const program = start(service, evidence, {
      TASKWARDEN_CPU_MODE: cpuMode,
      TASKWARDEN_ACTIONS: 'capture-stack,cpu-profile,heap-profile,heap-snapshot',
    });
    const alert = await sink.waitFor(of(service, 'taskwarden.alert.name', 'LoopHeld'), 20_000);
    // The last of those that the rule asks for, and the one that is not allowed.
    const refused = await sink.waitFor(of(service, 'taskwarden.action.name', 'exit'), 20_000);
    assert.equal(refused.attributes['taskwarden.action.outcome'], 'not_allowed');
    const named = alert.attributes['taskwarden.evidence'] as string[];
    assert.deepEqual(
      named.map((path) => path.replace(/^.*-\d+-\d\./, '')),
      ['stack.txt', 'cpuprofile', 'heapprofile', 'heapsnapshot'],
    );
    assert.deepEqual(
      readdirSync(evidence).sort(),
      named.map((path) => path.split('/').at(-1)),
    );
    const [stack = '', cpu = '', heap = '', snapshot = ''] = named.map((path) => readFileSync(path, 'utf8'));
    assert.match(
      stack,
      /^alert: LoopHeld\n.*task_name: monthly-report\n.*block: code, .*\n\nat .*blocker\.ts/s,
    );

    const profile = JSON.parse(cpu);
    assert.ok(profile.samples.length > 10 && profile.nodes.length > 2);
    const [first] = profile.taskwarden.tasks;
    assert.equal(first.task, 'monthly-report (queue reports)');
    assert.ok(first.share > 0.9, `${first.share} of the samples`);
    assert.match(first.top.map(({ at }: { at: string }) => at).join(), /blocker\.ts:\d+/);
    const told = of(service, 'taskwarden.action.name', 'cpu-profile')();
    assert.match(
      String(told?.attributes['taskwarden.profile.tasks']),
      /^monthly-report \(queue reports\) \d+ %/,
    );

    assert.ok(JSON.parse(heap).head);
    assert.ok(JSON.parse(snapshot).snapshot.meta.node_fields.length > 3, 'taken in the middle of JavaScript');
    const stderr = await end(program, service);
    assert.match(
      stderr,
      /^taskwarden: a heap snapshot of about \d+ MB is taken; the worker stands still for about \d+ s\n$/,
    );
    const span = sink.spans.find(
      (one) => one.resource['service.name'] === service && one.attributes['task.name'] === 'monthly-report',
    );
    assert.ok(span, 'the run went on to its end');
  });

/** The alert comes with its stack, names no files, and the run goes on to its end. @returns standard error */
async function alertWithoutEvidence(program: Program, service: string): Promise<string> {
  const alert = await sink.waitFor(of(service, 'taskwarden.alert.name', 'LoopHeld'), 20_000);
  assert.equal(alert.attributes['taskwarden.evidence'], undefined);
  assert.match(String(alert.attributes['code.stacktrace']), /blocker\.ts/);
  const failed = await sink.waitFor(of(service, 'taskwarden.action.name', 'heap-profile'));
  assert.equal(failed.attributes['taskwarden.action.outcome'], 'failed');
  return end(program, service);
}

test('a folder that cannot be written to costs the evidence, not the alert, and is told once', async () => {
  mkdirSync(join(folder.path, 'in-the-way'));
  writeFileSync(join(folder.path, 'in-the-way/file'), '');
  const program = start('no-folder', join(folder.path, 'in-the-way/file/evidence'));
  const stderr = await alertWithoutEvidence(program, 'no-folder');
  assert.equal(stderr.match(/no evidence: /g)?.length, 1, stderr);
});

test('a full disk costs the evidence and the flight recorder, not the alert nor the run', async (t) => {
  const disk = mountDisk(256);
  if (typeof disk === 'string') {
    t.skip(disk);
    return;
  }
  t.after(() => disk.remove());
  mkdirSync(join(disk.path, 'evidence'));
  mkdirSync(join(disk.path, 'state'));
  disk.fill();
  const program = start('full', join(disk.path, 'evidence'), {
    TASKWARDEN_STATE_DIR: join(disk.path, 'state'),
    TASKWARDEN_RECORDER: 'event',
  });
  const stderr = await alertWithoutEvidence(program, 'full');
  assert.equal(stderr.match(/no evidence: .*has not enough room/g)?.length, 1, stderr);
  assert.equal(stderr.match(/fault in recorder, .*ENOSPC/g)?.length, 1, stderr);
  assert.deepEqual(readdirSync(join(disk.path, 'evidence')), [], 'nothing is left half-written');
});
