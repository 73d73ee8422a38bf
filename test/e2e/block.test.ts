import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { endPrograms, folderWith, startProgram } from '../fixtures/faults/program.ts';
import type { ReceivedLog } from '../helpers/otlp-items.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';

const folder = folderWith({});
let sink: OtlpSink;

before(async () => {
  sink = await startSink();
});
after(async () => {
  endPrograms();
  await sink.down();
  folder.remove();
});

const firing = (service: string) => (from: OtlpSink) =>
  from.logs.find(
    ({ resource, attributes }) =>
      resource['service.name'] === service &&
      attributes['taskwarden.alert.name'] === 'TaskBlocksEventLoop' &&
      attributes['taskwarden.alert.state'] === 'firing',
  );

/** Runs the worker, and ends its block as soon as the alert about it is here. */
async function blocked(how: string, cpuMode: string): Promise<{ alert: ReceivedLog; service: string }> {
  const service = `${how}-${cpuMode}`;
  const file = join(folder.path, service);
  const program = startProgram('blocker.ts', {
    args: [file, how],
    env: {
      OTEL_SERVICE_NAME: service,
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      TASKWARDEN_CPU_MODE: cpuMode,
    },
  });
  const alert = await sink.waitFor(firing(service), 25_000);
  writeFileSync(file, '');
  const { code, lines, stderr } = await program.ended;
  assert.equal(stderr, '');
  assert.equal(code, 0);
  assert.equal(lines[0]?.outcome, 'told', 'the alert came while the loop was blocked');
  assert.ok(alert.receivedAt < (lines[0]?.endedAt as number));
  const { attributes } = alert;
  assert.equal(attributes['messaging.system'], 'custom');
  assert.equal(attributes['messaging.destination.name'], 'reports');
  assert.equal(attributes['task.name'], 'monthly-report');
  assert.deepEqual(attributes['taskwarden.alert.runs.messaging.message.id'], ['job-7']);
  assert.deepEqual(attributes['taskwarden.alert.runs.active'], ['true']);
  const span = sink.spans.find(
    (one) => one.resource['service.name'] === service && one.attributes['task.name'] === 'monthly-report',
  );
  assert.ok(span, 'the span of the run came with the flush at exit');
  assert.equal(alert.traceId, span.traceId);
  assert.equal(alert.spanId, span.spanId);
  assert.deepEqual(attributes['taskwarden.alert.runs.trace_id'], [span.traceId]);
  assert.equal(attributes['taskwarden.block.class'], 'code');
  assert.match(
    String(attributes['code.stacktrace']),
    how === 'microtasks' ? /^at |^undefined$/ : /^at .*blocker\.ts/m,
  );
  assert.doesNotMatch(String(attributes['code.stacktrace']), /src\/tasks/, 'no frames of ours');
  const innocents = sink.logs.filter(
    (one) => one.resource['service.name'] === service && one.attributes['task.name'] === 'send-mail',
  );
  assert.deepEqual(innocents, []);
  return { alert, service };
}

for (const [how, cpuMode, what] of [
  ['spin', 'auto', 'a spin after an await, innocent jobs in flight'],
  ['spin', 'sync', 'the same where nobody keeps track of the holder: the thread itself is asked'],
  ['microtasks', 'auto', 'microtasks without end'],
  ['microtasks', 'sync', 'microtasks without end, the thread itself is asked'],
  ['at-start', 'auto', 'the very first thing that the first job does'],
] as const) {
  test(`an alert names the run that blocks the loop while it does: ${what}`, async () => {
    await blocked(how, cpuMode);
  });
}
