import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Alerting, type AlertingOptions } from '../../src/agent/alerting.ts';
import { createGuard } from '../../src/agent/guard.ts';
import { Ingest } from '../../src/agent/ingest.ts';
import { openRuleSources } from '../../src/agent/rule-sources.ts';
import { loadConfig } from '../../src/config/config.ts';
import type { AlertTransition } from '../../src/model/alert.ts';
import { TaskwardenError } from '../../src/model/errors.ts';
import { loadRuleFiles } from '../../src/rules/load.ts';
import { folderWith } from '../fixtures/faults/program.ts';
import { metricValue, newRegistry, REPORT, record } from './parts.ts';

const T0 = 1_700_000_000_000;
const folder = folderWith({
  'own.yaml': `groups:
  - name: own
    interval: 10s
    rules:
      - alert: Busy
        expr: task_active > 5
        labels: { severity: warning }
        annotations: { summary: '{{ $labels.task_name }} has {{ $value }} runs' }
`,
  'blocks.yaml': `groups:
  - name: others
    rules:
      - alert: Held
        expr: task_event_loop_blocked_seconds > 1
      - alert: HeldBusy
        expr: task_event_loop_blocked_seconds > 1 and task_active > 5
      - alert: Busy
        expr: task_active > 5
  - name: recorded
    rules:
      - record: held:max
        expr: max(task_event_loop_blocked_seconds)
      - alert: HeldLong
        expr: held:max > 2
`,
  'faulty.yaml': `groups:
  - name: faulty
    interval: 1s
    rules:
      - record: twice
        expr: task_active * on (job) task_active
      - alert: Works
        expr: task_active > 0
`,
  'broken.yaml': 'groups:\n  - name: broken\n    rules:\n      - alert: A\n        expr: 1 +\n',
});

after(() => folder.remove());

function setup(rules: string, over: Partial<AlertingOptions> = {}) {
  const registry = newRegistry();
  const told: string[] = [];
  const transitions: AlertTransition[] = [];
  const alerting = new Alerting({
    config: loadConfig({
      env: { TASKWARDEN_RULES: rules, TASKWARDEN_SHIPPED_RULES: 'false' },
      cwd: folder.path,
    }),
    registry,
    resource: {
      'service.name': 'worker',
      'service.namespace': 'shop',
      'service.instance.id': 'a-1',
    },
    sources: { shipped: [], load: loadRuleFiles },
    guard: createGuard(registry, (text) => told.push(text)),
    runsFor: () => [],
    onAlert: (transition) => transitions.push(transition),
    ...over,
  });
  const active = (value: number, task = 'send'): void =>
    registry.set('task.active', { 'task.name': task }, value);
  return { registry, alerting, told, transitions, active };
}

test('a rule fires with the labels of the series and of the process, and ends', () => {
  const asked: object[] = [];
  const { alerting, transitions, active } = setup('own.yaml', {
    runsFor(labels) {
      asked.push({ ...labels });
      return [];
    },
  });
  active(7);
  alerting.tick(T0, 'all');
  assert.equal(transitions.length, 1);
  const [firing] = transitions;
  assert.equal(firing?.state, 'firing');
  assert.equal(firing?.annotations.summary, 'send has 7 runs');
  const labels = {
    alertname: 'Busy',
    severity: 'warning',
    task_name: 'send',
    job: 'shop/worker',
    instance: 'a-1',
  };
  assert.deepEqual({ ...firing?.labels }, labels);
  assert.equal(asked.length, 1);
  assert.equal(alerting.alerts().length, 1);
  active(1);
  alerting.tick(T0 + 1000, 'all');
  assert.deepEqual(
    transitions.map(({ state }) => state),
    ['firing', 'resolved'],
  );
  assert.equal(alerting.alerts().filter(({ state }) => state === 'firing').length, 0);
});

test('rules have their interval; force does not wait for it', () => {
  const { alerting, transitions, active } = setup('own.yaml');
  alerting.tick(T0, 'step');
  active(7);
  alerting.tick(T0 + 1000, 'step');
  assert.equal(transitions.length, 0);
  alerting.tick(T0 + 2000, 'all');
  assert.equal(transitions.length, 1);
});

test('a block has only the rules evaluated that look at it, or at what is recorded of it, and only its metric sampled', () => {
  const { registry, alerting, transitions, active } = setup('blocks.yaml');
  alerting.tick(T0, 'step');
  active(7);
  registry.set('task.event_loop.blocked', { 'task.name': 'send' }, 3);
  alerting.tick(T0 + 1000, 'block');
  assert.deepEqual(
    transitions.map(({ name }) => name),
    ['Held', 'HeldLong'],
  );
  alerting.tick(T0 + 5000, 'step');
  assert.deepEqual(
    transitions.map(({ name }) => name),
    ['Held', 'HeldLong', 'HeldBusy', 'Busy'],
    'the number of runs is as of the last step',
  );
});

test('an evaluation that fails is counted and told once; the rules beside it go on', () => {
  const { registry, alerting, told, transitions, active } = setup('faulty.yaml');
  active(1, 'a');
  active(1, 'b');
  for (let n = 0; n < 3; n++) alerting.tick(T0 + 2000 * n, 'all');
  assert.equal(told.length, 1, told.join('\n'));
  assert.match(told[0]!, /^fault in rule twice \(/);
  assert.equal(transitions.filter(({ name }) => name === 'Works').length, 2);
  const evaluations = (outcome: string) => metricValue(registry, 'taskwarden.rules.evaluations', { outcome });
  assert.equal(evaluations('failure'), 3);
  assert.equal(evaluations('success'), 3);
  assert.ok(metricValue(registry, 'taskwarden.rules.evaluation.duration')! > 0);
});

test('a receiver of alerts that throws does not stop the rules', () => {
  let calls = 0;
  const { alerting, told, active } = setup('own.yaml', {
    onAlert() {
      calls++;
      throw new Error('no receiver');
    },
  });
  active(7);
  alerting.tick(T0, 'all');
  active(1);
  alerting.tick(T0 + 1000, 'all');
  assert.equal(calls, 2);
  assert.equal(told.length, 1);
  assert.match(told[0]!, /no receiver/);
});

test('the size of the store and what it dropped are metrics', () => {
  const { registry, alerting, active } = setup('own.yaml', {
    config: loadConfig({
      env: { TASKWARDEN_STORE_MAX_SERIES: '100', TASKWARDEN_SHIPPED_RULES: 'false' },
      cwd: folder.path,
    }),
  });
  for (let n = 0; n < 150; n++) active(n, `task-${n}`);
  for (let n = 0; n < 3; n++) alerting.tick(T0 + n * 1000, 'all');
  assert.equal(metricValue(registry, 'taskwarden.series'), 100);
  assert.ok(metricValue(registry, 'taskwarden.series.dropped')! >= 2 * 50);
});

test('a rule file that cannot be used is the error of the user who named it', () => {
  assert.throws(
    () => setup('broken.yaml'),
    (error) => error instanceof TaskwardenError && error.message.startsWith('broken.yaml:5:'),
  );
  assert.throws(
    () => setup('missing.yaml'),
    (error) => error instanceof TaskwardenError && error.code === 'TASKWARDEN_FILE',
  );
  assert.doesNotThrow(() => setup('missing-*.yaml'));
});

/** The shipped rules over what the runs of a worker count. */
async function shipped() {
  const config = loadConfig({ env: {}, cwd: folder.path });
  let elapsed = 0;
  const side = setup('', { config, sources: await openRuleSources(config), elapsed: () => elapsed });
  const ingest = new Ingest(side.registry);
  const runs = (n: number, over: Parameters<typeof record>[0]): void => {
    for (let i = 0; i < n; i++) ingest.run(record(over));
  };
  const steps = (from: number, to: number): void => {
    for (let t = from; t <= to; t += 5000) {
      elapsed = t;
      side.alerting.tick(t, 'step');
    }
  };
  const fired = () =>
    side.transitions
      .filter(({ state }) => state === 'firing')
      .map(({ name, labels }) => `${name} ${labels.task_name}`);
  return { ...side, runs, steps, fired };
}

test('what a worker does before the first step counts for the shipped rules', async () => {
  const { runs, steps, fired } = await shipped();
  runs(2000, { failed: true, durationMs: 1, cpuMs: 0, requests: 0 });
  steps(T0 + 500, T0 + 40_500);
  assert.deepEqual(fired(), ['TaskFailing send']);
});

test('what a new task does within a step counts for the shipped rules', async () => {
  const { runs, steps, fired } = await shipped();
  runs(3, {});
  steps(T0, T0 + 300_000);
  runs(50, { task: REPORT, failed: true, cpuMs: 0, payloadBytes: 3_000_000 });
  steps(T0 + 305_000, T0 + 340_000);
  assert.deepEqual(fired().sort(), [`TaskFailing ${REPORT.task}`, `TaskPayloadOversized ${REPORT.task}`]);
});

test('a new task whose first runs are in order is no alert', async () => {
  const { runs, steps, fired } = await shipped();
  steps(T0, T0 + 10_000);
  runs(500, { durationMs: 1, cpuMs: 1, blockMs: 1 });
  runs(5, { failed: true });
  steps(T0 + 15_000, T0 + 700_000);
  assert.deepEqual(fired(), []);
});
