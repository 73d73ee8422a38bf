import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ReceivedLog } from '../helpers/otlp-items.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';
import { startProgram } from '../helpers/worker.ts';

const LEAKER = fileURLToPath(new URL('../fixtures/memory/leaker.ts', import.meta.url));
let sink: OtlpSink;
before(async () => {
  sink = await startSink();
});
after(() => sink.down());

const firing = (service: string, alert: string) => (from: OtlpSink) =>
  from.logs.find(
    ({ resource, attributes }) =>
      resource['service.name'] === service &&
      attributes['taskwarden.alert.name'] === alert &&
      attributes['taskwarden.alert.state'] === 'firing',
  );

/** A worker that leaks, once its agent exports. */
async function leak(service: string, how: string, rate: number, nodeArgs: string[], env = {}) {
  const program = startProgram(LEAKER, {
    args: [how, String(rate)],
    before: nodeArgs,
    sink,
    env: { OTEL_SERVICE_NAME: service, OTEL_METRIC_EXPORT_INTERVAL: '500', ...env },
    limitMs: 60_000,
  });
  await program.said('ready');
  await sink.waitFor((from) => from.metrics.find(({ resource }) => resource['service.name'] === service));
  program.tell('go');
  return program;
}

function descriptionOf({ attributes }: ReceivedLog): string {
  return String(attributes['taskwarden.alert.annotation.description']);
}

test('a synchronous leak is told at 70 and 80 % of the heap, with the task, before V8 aborts', async () => {
  const program = await leak('sync', 'sync', 40, ['--max-old-space-size=100']);
  const { signal, code } = await program.ended;
  const diedAt = Date.now();
  assert.ok(signal === 'SIGABRT' || code === 134, `ended by ${signal ?? code}`);
  const alerts = sink.logs.filter(
    ({ resource, attributes }) =>
      resource['service.name'] === 'sync' && attributes['taskwarden.alert.name'] === 'WorkerMemoryRunsOut',
  );
  const levels = new Set(alerts.map(({ severityText }) => severityText));
  assert.ok(levels.has('INFO') && levels.has('WARN'), `told at ${[...levels]}`);
  for (const alert of alerts) {
    assert.ok(alert.receivedAt < diedAt);
    assert.match(descriptionOf(alert), /of heap, while these tasks were in flight: build-index/);
  }
  const task = firing('sync', 'TaskExhaustsMemory')(sink);
  assert.equal(task?.attributes['task.name'], 'build-index');
  assert.deepEqual(task?.attributes['taskwarden.alert.runs.messaging.message.id'], ['index-7']);
});

test('array buffers are told by the limit of resident memory, while the loop is blocked', async () => {
  const program = await leak('buffers', 'buffers', 100, [], { TASKWARDEN_MEMORY_RSS_LIMIT: '400' });
  const alert = await sink.waitFor(firing('buffers', 'TaskExhaustsMemory'), 30_000);
  assert.equal(program.child.exitCode, null);
  assert.equal(alert.attributes['task.name'], 'build-index');
  const worker = firing('buffers', 'WorkerMemoryRunsOut')(sink)!;
  assert.match(descriptionOf(worker), /of external, while/);
  program.child.kill('SIGKILL');
  await program.ended;
});
