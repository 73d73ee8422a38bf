import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { folderWith } from '../fixtures/faults/program.ts';
import { promtool, promtoolMissing } from './promtool.ts';

const document = readFileSync(resolve(import.meta.dirname, '../../docs/alerts.md'), 'utf8');
const relay = /```yaml\n# taskwarden-relay\.yaml\n([\s\S]*?)```/.exec(document)?.[1] ?? '';

/** Two agents and a process without one; an alert of each, one of them pending only, and its end. */
const TESTS = `
rule_files: [relay.yaml]
evaluation_interval: 15s
tests:
  - interval: 15s
    input_series:
      - {series: 'taskwarden_series{job="mail", instance="a"}', values: '90x20'}
      - {series: 'taskwarden_series{job="mail", instance="b"}', values: '90x20'}
      - {series: 'ALERTS{alertname="TaskCpuHog", alertstate="firing", severity="warning", job="mail", instance="a", task_name="render"}', values: '1x4 stale'}
      - {series: 'ALERTS{alertname="WorkerHeapNearLimit", alertstate="firing", severity="critical", job="mail", instance="b"}', values: '1x20'}
      - {series: 'ALERTS{alertname="TaskFailing", alertstate="pending", job="mail", instance="a"}', values: '1x20'}
      - {series: 'ALERTS{alertname="DiskFull", alertstate="firing", job="node", instance="a"}', values: '1x20'}
    alert_rule_test:
      - eval_time: 1m
        alertname: TaskwardenAlert
        exp_alerts:
          - exp_labels: {agent_alertname: TaskCpuHog, severity: warning, job: mail, instance: a, task_name: render}
            exp_annotations:
              summary: TaskCpuHog of task render in a
              runbook_url: https://github.com/taskwarden/taskwarden/blob/main/docs/threats.md#taskcpuhog
          - exp_labels: {agent_alertname: WorkerHeapNearLimit, severity: critical, job: mail, instance: b}
            exp_annotations:
              summary: WorkerHeapNearLimit in b
              runbook_url: https://github.com/taskwarden/taskwarden/blob/main/docs/threats.md#workerheapnearlimit
      - eval_time: 2m
        alertname: TaskwardenAlert
        exp_alerts:
          - exp_labels: {agent_alertname: WorkerHeapNearLimit, severity: critical, job: mail, instance: b}
            exp_annotations:
              summary: WorkerHeapNearLimit in b
              runbook_url: https://github.com/taskwarden/taskwarden/blob/main/docs/threats.md#workerheapnearlimit
`;

const folder = folderWith({ 'relay.yaml': relay, 'tests.yaml': TESTS });
after(() => folder.remove());

test('the relay rule of the documentation passes on what agents say, and nothing else', {
  skip: promtoolMissing(),
}, () => {
  assert.notEqual(relay, '');
  const check = promtool('check', 'rules', join(folder.path, 'relay.yaml'));
  assert.equal(check.status, 0, check.output);
  const run = promtool('test', 'rules', join(folder.path, 'tests.yaml'));
  assert.equal(run.status, 0, run.output);
});
