import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, mock, test } from 'node:test';
import { ThreadState } from '../../src/agent/blocks/thread-state.ts';
import { Evidence } from '../../src/agent/evidence.ts';
import { Exporting } from '../../src/agent/exporting.ts';
import { Ingest } from '../../src/agent/ingest.ts';
import { Memory } from '../../src/agent/memory.ts';
import { Pipeline } from '../../src/agent/pipeline.ts';
import { Vitals } from '../../src/agent/vitals.ts';
import { Watchdog } from '../../src/agent/watchdog.ts';
import { F64, I32 } from '../../src/bridge/protocol.ts';
import { loadConfig } from '../../src/config/config.ts';
import { monotonicMs } from '../../src/model/clock.ts';
import { TaskwardenError } from '../../src/model/errors.ts';
import { folderWith } from '../fixtures/faults/program.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';
import { bothEnds, type Ends, MAIL, REPORT } from './parts.ts';

let sink: OtlpSink;
const folder = folderWith({ 'broken.yaml': 'groups:\n  - name: own\n    rules: 3\n' });

before(async () => {
  sink = await startSink();
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = sink.url;
});
after(async () => {
  await sink.down();
  folder.remove();
});
// The pipeline lives as long as its thread, so its timers are the test's to turn.
beforeEach(() => {
  mock.timers.enable({ apis: ['setInterval'] });
  sink.clear();
});
afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

interface Watched extends Ends {
  readonly pipeline: Pipeline;
}

function watch(env: Record<string, string> = {}): Watched {
  const pipeline = new Pipeline(
    loadConfig({
      env: { TASKWARDEN_LOG_LEVEL: 'none', TASKWARDEN_STATE_DIR: 'off', ...env },
      cwd: folder.path,
    }),
  );
  const ends = bothEnds();
  pipeline.watch({ buffer: ends.shared.buffer, clockOffset: monotonicMs() - performance.now() });
  return { pipeline, ...ends };
}

async function started(env?: Record<string, string>): Promise<Watched> {
  const watched = watch(env);
  await watched.pipeline.load();
  await watched.pipeline.connect();
  return watched;
}

const last = (name: string, attributes: object = {}): number | undefined =>
  sink.metrics.findLast(
    (point) =>
      point.name === name &&
      Object.entries(attributes).every(([key, value]) => point.attributes[key] === value),
  )?.value;

const SUCCESS = { 'task.name': MAIL.task, 'task.outcome': 'success' };

test('a run goes all the way: metric, span, and what is in flight', async () => {
  const { pipeline, begin, finish, outbox } = await started();
  finish(begin());
  begin(REPORT, 'in flight');
  outbox.span({
    ...{ traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1, name: 'GET', kind: 2 },
    ...{ startTimeMs: 1000, endTimeMs: 2000, attributes: {}, events: [], links: [] },
    ...{ status: { code: 0 }, scope: { name: 'http' } },
  });
  await pipeline.flush();
  assert.equal(last('task.runs', SUCCESS), 1);
  assert.equal(last('task.active', { 'task.name': REPORT.task }), 1);
  assert.ok(last('process.uptime')! > 0);
  assert.deepEqual(sink.spans.map(({ name }) => name).sort(), ['GET', 'process mail']);
});

test('runs and alerts from before the exporters were there are exported all the same', async () => {
  // This thread is not blocked, so it has not used the time that its heartbeat seems to have been away.
  mock.method(ThreadState.prototype, 'cpuMs', () => undefined);
  const { pipeline, begin, finish, shared } = watch();
  finish(begin());
  shared.i32[I32.current] = begin(REPORT, 'guilty');
  mock.timers.tick(50);
  shared.f64[F64.beatAt] = performance.now() - 3000;
  mock.timers.tick(50 * 4);
  await new Promise((later) => setImmediate(later));
  await pipeline.load();
  await pipeline.connect();
  await pipeline.flush();
  assert.equal(sink.spans.length, 1);
  const [alert] = sink.logs;
  assert.equal(alert?.attributes['taskwarden.alert.name'], 'TaskBlocksEventLoop');
  assert.equal(alert?.attributes['task.name'], REPORT.task);
  assert.deepEqual(alert?.attributes['taskwarden.alert.runs.messaging.message.id'], ['guilty']);
});

test('the timers drain, tick and export', async () => {
  const { begin, finish } = await started({
    OTEL_METRIC_EXPORT_INTERVAL: '1000',
    TASKWARDEN_STORE_STEP: '1s',
    TASKWARDEN_MACHINE_INTERVAL: '1s',
  });
  finish(begin());
  mock.timers.tick(1000);
  mock.timers.tick(1000);
  await sink.waitFor(() => last('task.runs', SUCCESS) === 1);
});

test('a second thread is watched too', async () => {
  const { pipeline } = await started();
  const other = bothEnds();
  pipeline.watch({ buffer: other.shared.buffer, clockOffset: monotonicMs() - performance.now() });
  other.finish(other.begin());
  await pipeline.flush();
  assert.equal(last('task.runs', SUCCESS), 1);
});

test('a rule file that is broken stops the loading', async () => {
  const { pipeline } = watch({ TASKWARDEN_RULES: 'broken.yaml' });
  await assert.rejects(pipeline.load(), (error) => {
    assert.ok(error instanceof TaskwardenError);
    assert.match(error.message, /^broken\.yaml:3:\d+: /);
    return true;
  });
});

test('an offered thread without exporters is flushed without them', async () => {
  const { pipeline, begin, finish } = watch();
  finish(begin());
  await pipeline.flush();
  assert.equal(sink.requests.length, 0);
});

const PARTS = [
  ['ingest', Ingest, 'run'],
  ['ingest', Ingest, 'task'],
  ['ingest', Evidence, 'finished'],
  ['ingest', Exporting, 'run'],
  ['export', Exporting, 'span'],
  ['memory', Memory, 'check'],
  ['memory', Memory, 'collected'],
  ['vitals', Vitals, 'collect'],
  ['watchdog', Watchdog, 'check'],
] as const;

for (const [part, { prototype }, method] of PARTS)
  test(`a fault in ${part} (${method}) is counted, and the rest is exported`, async () => {
    const { pipeline, begin, finish, outbox } = await started();
    mock.method(prototype as unknown as Record<string, () => void>, method, () => {
      throw new Error('thrown on purpose');
    });
    finish(begin());
    outbox.span({ name: 'a span' });
    outbox.collection({ exact: true, pauseMs: 5, heapAfter: 1e6, external: 0 });
    for (let ms = 0; ms < 500; ms += 50) mock.timers.tick(50);
    await pipeline.flush();
    assert.ok(last('taskwarden.errors', { part })! > 0);
    assert.ok(last('process.uptime')! > 0);
    if (part !== 'ingest') assert.equal(last('task.runs', SUCCESS), 1);
  });

test('a record that cannot be read is a fault, and those after it are read', async () => {
  const { pipeline, shared, outbox, begin, finish } = await started();
  await pipeline.flush();
  outbox.span({ name: 'broken' });
  const text = shared.bytes.indexOf('{"name":"broken"}');
  assert.ok(text > 0);
  shared.bytes.write('x', text, 'latin1');
  finish(begin());
  mock.timers.tick(50);
  await pipeline.flush();
  assert.equal(last('taskwarden.errors', { part: 'inbox' }), 1);
  assert.equal(last('task.runs', SUCCESS), 1);
  const spans = new Set(sink.spans.map(({ name }) => name));
  assert.deepEqual([spans.has('process mail'), spans.has('broken')], [true, false]);
});
