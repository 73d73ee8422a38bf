import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { after, test } from 'node:test';
import { Alerting } from '../../src/agent/alerting.ts';
import { Evidence } from '../../src/agent/evidence.ts';
import { createGuard } from '../../src/agent/guard.ts';
import { Ingest } from '../../src/agent/ingest.ts';
import { Subjects } from '../../src/agent/subjects.ts';
import type { RunRecord } from '../../src/bridge/inbox.ts';
import { loadConfig } from '../../src/config/config.ts';
import type { AlertTransition } from '../../src/model/alert.ts';
import { compile } from '../../src/promql/promql.ts';
import { loadRuleFiles } from '../../src/rules/load.ts';
import { folderWith } from '../fixtures/faults/program.ts';
import { MAIL, newRegistry, record } from './parts.ts';

const T0 = 1_700_000_000_000;
const shipped = loadRuleFiles([resolve(import.meta.dirname, '../../rules/*.yaml')], compile).groups;

const folder = folderWith({
  'own.yaml': `groups:
  - name: own
    rules:
      - {record: 'task:failures:rate1m', expr: 'sum by (task_name) (rate(task_runs_total{task_outcome="failure"}[1m]))'}
      - {record: 'bound:of:mine', expr: vector(3)}
      - {alert: Recorded, expr: 'scalar(bound:of:mine) < task:failures:rate1m'}
      - {alert: NotSuccess, expr: 'task_runs_total{task_outcome!="success"} > 3'}
      - {alert: All, expr: 'task_runs_total > 3'}
      - {alert: Types, expr: 'messaging_process_duration_seconds_count{error_type!=""} > 3'}
      - {alert: Consumed, expr: 'messaging_client_consumed_messages_total{error_type=~".+"} > 3'}
      - {alert: Mean, expr: 'messaging_process_duration_seconds_sum / messaging_process_duration_seconds_count > 3'}
      - {alert: Uploads, expr: 'rate(task_network_io_bytes_total{network_io_direction="transmit"}[1m]) > 3'}
      - {alert: Waits, expr: 'rate(task_wait_duration_seconds_sum[1m]) > 3'}
      - {alert: Asks, expr: 'rate(task_dependency_requests_total[1m]) > 3'}
      - {alert: Nameless, expr: '{task_name="a"} > 3'}
      - {alert: Own, expr: 'metric_of_mine > 3'}
      - {record: round, expr: round + 1}
      - {alert: Round, expr: round > 1}
`,
});
after(() => folder.remove());

const subjectsOf = (groups: typeof shipped, all = false) => {
  const subjects = new Subjects(groups);
  const found = groups.flatMap(({ rules }) =>
    rules.flatMap((rule) => (rule.kind === 'alert' ? [[rule.name, subjects.of(rule)] as const] : [])),
  );
  return Object.fromEntries(found.filter(([, subject]) => all || subject !== 'latest'));
};

test('what the shipped alerts are about', () => {
  assert.deepEqual(subjectsOf(shipped), {
    TaskBlocksEventLoop: 'block',
    TaskLoopsEndlessly: 'block',
    TaskCpuHog: 'cpu',
    TaskSuperLinear: 'payload',
    TaskSlowerThanBefore: 'duration',
    TaskFailing: 'failed',
    TaskRetriesOften: 'retried',
    TaskRunsTwice: 'duplicate',
    TaskLeaksHandles: 'handles',
    TaskPayloadOversized: 'payload',
    TaskPayloadUnusual: 'payload',
    TaskNetworkFlood: 'requests',
    TaskOutboundRateHigh: 'requests',
    TaskDownloadsTooMuch: 'received',
    TaskDependencyFailing: 'failed_requests',
    TaskDependencySlow: 'duration',
    DependencyRateHigh: 'requests',
    QueueLatencyHigh: 'wait',
    WorkerEventLoopBlocked: 'block',
  });
});

test('what alerts of other rules are about: their first metric, through recordings', () => {
  assert.deepEqual(subjectsOf(loadRuleFiles(['own.yaml'], compile, folder.path).groups, true), {
    Recorded: 'failed',
    NotSuccess: 'failed',
    All: 'latest',
    Types: 'failed',
    Consumed: 'failed',
    Mean: 'duration',
    Uploads: 'sent',
    Waits: 'wait',
    Asks: 'requests',
    Nameless: 'latest',
    Own: 'latest',
    Round: 'latest',
  });
});

/** Jobs that the shipped alert names; runs end half a second after each other. */
function named(name: string, runs: readonly Partial<RunRecord>[]): string[] {
  const registry = newRegistry();
  const fired: AlertTransition[] = [];
  let now = T0;
  const evidence = new Evidence(
    () => [],
    () => now,
  );
  const alerting = new Alerting({
    config: loadConfig({ env: {}, cwd: folder.path }),
    registry,
    resource: { 'service.name': 'worker', 'service.instance.id': 'a-1' },
    sources: { shipped, load: undefined },
    guard: createGuard(registry, assert.fail),
    runsFor: (labels, about) => evidence.runsFor(labels, about),
    onAlert: (transition) => transition.state === 'firing' && fired.push(transition),
  });
  const ingest = new Ingest(registry);
  ingest.task(MAIL);
  alerting.tick(now, 'step');
  for (const [n, over] of runs.entries()) {
    now += 500;
    const run = record({ jobId: `${n}`, startEpochMs: now - 120, ...over });
    ingest.run(run);
    evidence.finished(run);
    if (n % 2 === 1) alerting.tick(now, 'step');
  }
  const alert = fired.find((each) => each.name === name);
  assert.ok(alert, `${name} has not fired`);
  return alert.runs.map(({ jobId }) => jobId);
}

test('TaskFailing names failed jobs where the newest have succeeded', () => {
  const bad = { failed: true, extra: { error: { type: 'Error', message: 'no' } } };
  const jobs = named('TaskFailing', [...Array(24).fill(bad), ...Array(20).fill({})]);
  assert.deepEqual(jobs, ['23', '22', '21', '20', '19']);
});

test('TaskPayloadOversized names the job whose payload is large, and no others', () => {
  const runs = Array.from({ length: 40 }, (_, n) => ({ payloadBytes: n === 11 ? 3_000_000 : 17 }));
  assert.deepEqual(named('TaskPayloadOversized', runs), ['11']);
});
