import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { Exporting } from '../../src/agent/exporting.ts';
import { spanOfRun } from '../../src/agent/run-span.ts';
import { loadConfig } from '../../src/config/config.ts';
import type { ActiveAlert, AlertTransition } from '../../src/model/alert.ts';
import { startSink } from '../helpers/otlp-sink.ts';
import { newRegistry, record, SPAN_ID, TRACE_ID } from './parts.ts';

const sink = await startSink();
process.env.OTEL_EXPORTER_OTLP_ENDPOINT = sink.url;

after(() => sink.down());
beforeEach(() => {
  sink.clear();
  sink.fault = {};
});

function setup(alerts: ActiveAlert[] = []) {
  const said: string[] = [];
  const registry = newRegistry();
  const exporting = new Exporting({
    config: loadConfig({ env: {} }),
    registry,
    resource: { 'service.name': 'worker' },
    alerts: () => alerts,
    say: (level, text) => said.push(`${level}: ${text}`),
  });
  return { registry, exporting, said };
}

function alert(over: Partial<AlertTransition> = {}): AlertTransition {
  return {
    name: 'Busy',
    group: 'own',
    intervalMs: 5000,
    expr: 'up',
    state: 'firing',
    previousState: 'inactive',
    labels: { alertname: 'Busy', task_name: 'send' },
    annotations: {},
    value: 1,
    fingerprint: '0123456789abcdef',
    activeAt: 1_700_000_000_000,
    firedAt: 1_700_000_000_000,
    resolvedAt: undefined,
    runs: [],
    at: 1_700_000_000_000,
    ...over,
  };
}

test('why nothing is delivered is said once', async () => {
  const { exporting, said } = setup();
  sink.fault = { status: 500 };
  for (let span = 0; span < 2; span++) {
    exporting.run(record());
    await exporting.flush(500);
  }
  assert.equal(said.length, 1);
  assert.match(said[0]!, /^info: traces are not delivered for now: HTTP 500/);
});

test('the span of a run arrives, one with extras as one without', async () => {
  const { exporting } = setup();
  exporting.run(record());
  const error = { type: 'TypeError', message: 'no' };
  exporting.run(record({ spanId: '2222222222222222', failed: true, extra: { error } }));
  await exporting.flush(5000);
  assert.equal(sink.spans.length, 2);
  const usual = sink.spans.find(({ spanId }) => spanId === SPAN_ID)!;
  const failed = sink.spans.find(({ spanId }) => spanId === '2222222222222222')!;
  assert.equal(usual.traceId, TRACE_ID);
  assert.equal(failed.status.code, 2);
  assert.equal(failed.events[0]?.name, 'exception');
  const rest = Object.entries(failed.attributes).filter(([name]) => name !== 'error.type');
  assert.deepEqual(Object.fromEntries(rest), usual.attributes, 'both ways tell the same');
});

test('a span of a library arrives as it was handed over', async () => {
  const { exporting } = setup();
  exporting.span({ ...spanOfRun(record(), '1'), name: 'GET', kind: 2 });
  await exporting.flush(5000);
  assert.equal(sink.spans[0]?.name, 'GET');
  assert.equal(sink.spans[0]?.kind, 3);
});

test('an alert is sent when it fires and when that ends, not while it is pending', async () => {
  const { exporting } = setup();
  exporting.alert(alert({ state: 'pending', firedAt: undefined }));
  exporting.alert(alert({ state: 'resolved', previousState: 'pending' }));
  exporting.alert(alert({ previousState: 'pending' }));
  exporting.alert(alert({ state: 'resolved', previousState: 'firing', resolvedAt: 1_700_000_001_000 }));
  await exporting.flush(5000);
  assert.deepEqual(
    sink.logs.map(({ attributes }) => attributes['taskwarden.alert.state']),
    ['firing', 'resolved'],
  );
  assert.ok(sink.logs.every(({ eventName }) => eventName === 'taskwarden.alert'));
});

test('metrics and alerts that stand are exported; an alert that is gone has no recorded value', async () => {
  const alerts: ActiveAlert[] = [alert()];
  const { registry, exporting } = setup(alerts);
  registry.set('task.active', { 'task.name': 'send' }, 3);
  exporting.metrics();
  await exporting.flush(5000);
  assert.equal(sink.metrics.find(({ name }) => name === 'task.active')?.value, 3);
  const first = sink.metrics.find(({ name }) => name === 'ALERTS');
  assert.equal(first?.value, 1);
  assert.equal(first?.attributes.alertstate, 'firing');
  alerts.length = 0;
  exporting.metrics();
  await exporting.flush(5000);
  assert.equal(sink.metrics.findLast(({ name }) => name === 'ALERTS')?.flags, 1);
});

test('failures and drops are counted by signal', async () => {
  const { exporting } = setup();
  sink.fault = { status: 400 };
  exporting.run(record());
  exporting.alert(alert());
  exporting.metrics();
  await exporting.flush(5000);
  sink.fault = {};
  exporting.metrics();
  await exporting.flush(5000);
  const count = (name: string, signal: string) =>
    sink.metrics.find((point) => point.name === name && point.attributes.signal === signal)?.value;
  for (const signal of ['traces', 'logs', 'metrics']) {
    assert.equal(count('taskwarden.export.failures', signal), 1, signal);
    assert.equal(count('taskwarden.telemetry.dropped', signal), 1, signal);
  }
});

test('the warm-up sends a request of logs without records', async () => {
  const { exporting } = setup();
  await exporting.warm();
  assert.deepEqual(
    sink.requests.map(({ signal, items, status }) => ({ signal, items, status })),
    [{ signal: 'logs', items: 0, status: 200 }],
  );
});
