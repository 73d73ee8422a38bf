import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ActiveAlert } from '../../src/model/alert.ts';
import type { RuleGroupView, RuleView } from '../../src/rules/view.ts';
import { serve, T0 } from './server.ts';

const alert: ActiveAlert = {
  name: 'Deep',
  group: 'queues',
  intervalMs: 5000,
  expr: 'depth > 5',
  state: 'firing',
  labels: { alertname: 'Deep', severity: 'warning' },
  annotations: { summary: 'deep' },
  value: 12.5,
  fingerprint: '0'.repeat(16),
  activeAt: T0,
  firedAt: T0,
  resolvedAt: undefined,
  runs: [],
};
const deep: RuleView = {
  kind: 'alert',
  name: 'Deep',
  query: 'depth > 5',
  durationMs: 90_000,
  keepFiringForMs: 500,
  labels: { severity: 'warning' },
  annotations: { summary: 'deep' },
  health: 'ok',
  lastError: '',
  lastEvaluation: T0,
  evaluationTime: 0.002,
  state: 'firing',
  alerts: [alert],
};
const sum: RuleView = {
  ...deep,
  kind: 'record',
  name: 'queue:depth',
  query: 'sum(depth)',
  health: 'err',
  lastError: 'broken',
  alerts: [],
  lastEvaluation: undefined,
};
const group: RuleGroupView = {
  name: 'queues',
  file: '/rules/queues.yaml',
  intervalMs: 5000,
  limit: 10,
  queryOffsetMs: 0,
  lastEvaluation: T0,
  evaluationTime: 0.003,
  rules: [deep, sum],
};
const { get } = await serve({
  rules: () => [group, { ...group, name: 'other', file: 'b.yaml', rules: [sum] }],
});
const groups = async (parameters = {}) => (await get('rules', parameters)).json.data.groups;

const TIME = '2023-11-14T22:13:20.000Z';
const shown = {
  labels: { alertname: 'Deep', severity: 'warning' },
  annotations: { summary: 'deep' },
  state: 'firing',
  activeAt: TIME,
  value: '1.25e+01',
};

test('groups with their rules, in the shape that Prometheus gives them', async () => {
  const [first, second] = await groups();
  assert.deepEqual(first, {
    name: 'queues',
    file: '/rules/queues.yaml',
    rules: [
      {
        state: 'firing',
        name: 'Deep',
        query: 'depth > 5',
        duration: 90,
        keepFiringFor: 0.5,
        labels: { severity: 'warning' },
        annotations: { summary: 'deep' },
        alerts: [shown],
        health: 'ok',
        evaluationTime: 0.002,
        lastEvaluation: TIME,
        type: 'alerting',
      },
      {
        name: 'queue:depth',
        query: 'sum(depth)',
        labels: { severity: 'warning' },
        health: 'err',
        lastError: 'broken',
        evaluationTime: 0.002,
        lastEvaluation: '0001-01-01T00:00:00Z',
        type: 'recording',
      },
    ],
    interval: 5,
    limit: 10,
    evaluationTime: 0.003,
    lastEvaluation: TIME,
  });
  assert.equal(second.name, 'other');
});

test('filters', async () => {
  const names = async (parameters: object) =>
    (await groups(parameters)).map((one: { name: string; rules: { name: string }[] }) => [
      one.name,
      ...one.rules.map(({ name }) => name),
    ]);
  assert.deepEqual(await names({ type: 'alert' }), [['queues', 'Deep']]);
  assert.deepEqual(await names({ type: 'record' }), [
    ['queues', 'queue:depth'],
    ['other', 'queue:depth'],
  ]);
  assert.deepEqual(await names({ 'rule_name[]': 'Deep' }), [['queues', 'Deep']]);
  assert.deepEqual(await names({ 'rule_group[]': 'other' }), [['other', 'queue:depth']]);
  assert.deepEqual(await names({ 'file[]': 'b.yaml' }), [['other', 'queue:depth']]);
  assert.deepEqual((await groups({ exclude_alerts: 'true' }))[0].rules[0].alerts, []);
});

test('mistakes', async () => {
  for (const [parameters, error] of [
    [{ type: 'x' }, 'invalid parameter "type": not supported value "x"'],
    [{ type: 'constructor' }, 'invalid parameter "type": not supported value "constructor"'],
    [
      { exclude_alerts: 'maybe' },
      'invalid parameter "exclude_alerts": cannot parse "maybe" to a truth value',
    ],
  ] as const)
    assert.deepEqual((await get('rules', parameters)).json.error, error);
});

test('alerts of all rules', async () => {
  assert.deepEqual((await get('alerts')).json.data, { alerts: [shown] });
});
