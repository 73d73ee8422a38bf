import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alertLogRecord } from '../../src/alerts/log-record.ts';
import { AT, RUN, transition } from './transitions.ts';

test('a firing alert with the runs concerned', () => {
  const untraced = { ...RUN, jobId: '16', traceId: '', spanId: '', active: false };
  assert.deepEqual(alertLogRecord(transition({ runs: [untraced, RUN] })), {
    timeMs: AT,
    observedTimeMs: AT,
    eventName: 'taskwarden.alert',
    severityNumber: 17,
    severityText: 'ERROR',
    body: 'render blocks',
    traceId: RUN.traceId,
    spanId: RUN.spanId,
    attributes: {
      'taskwarden.alert.name': 'TaskBlocksEventLoop',
      'taskwarden.alert.state': 'firing',
      'taskwarden.alert.previous_state': 'inactive',
      'taskwarden.alert.rule.group': 'tasks',
      'taskwarden.alert.expr': 'x > 1',
      'taskwarden.alert.fingerprint': '00000000000000aa',
      'taskwarden.alert.value': 1.5,
      'taskwarden.alert.active_at': '2026-01-02T03:04:04.678Z',
      'taskwarden.alert.fired_at': '2026-01-02T03:04:05.678Z',
      'messaging.system': 'bullmq',
      'messaging.destination.name': 'reports',
      'task.name': 'render',
      'taskwarden.alert.label.alertname': 'TaskBlocksEventLoop',
      'taskwarden.alert.label.severity': 'critical',
      'taskwarden.alert.label.messaging_system': 'bullmq',
      'taskwarden.alert.label.messaging_destination_name': 'reports',
      'taskwarden.alert.label.task_name': 'render',
      'taskwarden.alert.annotation.summary': 'render blocks',
      'taskwarden.alert.annotation.runbook_url': 'https://host/page',
      'taskwarden.alert.runs.count': 2,
      'taskwarden.alert.runs.messaging.system': ['bullmq', 'bullmq'],
      'taskwarden.alert.runs.messaging.destination.name': ['reports', 'reports'],
      'taskwarden.alert.runs.messaging.message.id': ['16', '17'],
      'taskwarden.alert.runs.task.name': ['render', 'render'],
      'taskwarden.alert.runs.task.attempt': ['2', '2'],
      'taskwarden.alert.runs.trace_id': ['', RUN.traceId],
      'taskwarden.alert.runs.span_id': ['', RUN.spanId],
      'taskwarden.alert.runs.age': ['1.235', '1.235'],
      'taskwarden.alert.runs.active': ['false', 'true'],
    },
  });
});

test('severity follows the label while it fires', () => {
  const severity = (state: 'pending' | 'firing' | 'resolved', label?: string) => {
    const { severityNumber, severityText } = alertLogRecord(
      transition({ state, labels: label === undefined ? {} : { severity: label } }),
    );
    return `${severityNumber} ${severityText}`;
  };
  for (const label of ['critical', 'Critical', 'page', 'error'])
    assert.equal(severity('firing', label), '17 ERROR');
  for (const label of ['warning', 'my own', 'constructor', undefined])
    assert.equal(severity('firing', label), '13 WARN');
  for (const label of ['info', 'none']) assert.equal(severity('firing', label), '9 INFO');
  for (const state of ['pending', 'resolved'] as const) assert.equal(severity(state, 'critical'), '9 INFO');
});

test('the trace is that of a run that is meant, where those in flight are beside it', () => {
  const failed = { ...RUN, active: false, isMeant: true, traceId: 'f'.repeat(32), spanId: 'f'.repeat(16) };
  const untraced = { ...failed, traceId: '', spanId: '' };
  assert.equal(alertLogRecord(transition({ runs: [RUN, untraced, failed] })).traceId, failed.traceId);
  assert.equal(alertLogRecord(transition({ runs: [RUN, untraced] })).traceId, RUN.traceId);
});

test('the end of an alert says so', () => {
  const { body, attributes, traceId, spanId } = alertLogRecord(
    transition({ state: 'resolved', resolvedAt: AT }),
  );
  assert.equal(body, 'Resolved: render blocks');
  assert.equal(attributes['taskwarden.alert.resolved_at'], '2026-01-02T03:04:05.678Z');
  assert.deepEqual(
    [traceId, spanId, attributes['taskwarden.alert.runs.count']],
    [undefined, undefined, undefined],
  );
});

test('without a summary the message or the name is the body', () => {
  assert.equal(alertLogRecord(transition({ annotations: { message: 'm' } })).body, 'm');
  assert.equal(alertLogRecord(transition({ annotations: {} })).body, 'TaskBlocksEventLoop');
});

test('long texts are cut and many runs are counted', () => {
  const { body, attributes } = alertLogRecord(
    transition({ annotations: { summary: 'x'.repeat(10_000) }, runs: Array(50).fill(RUN) }),
  );
  assert.equal(body.length, 4096);
  assert.ok(body.endsWith('x…'));
  assert.equal(attributes['taskwarden.alert.runs.count'], 50);
  assert.equal((attributes['taskwarden.alert.runs.span_id'] as string[]).length, 20);
});
