import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { endPrograms, folderWith, runProgram } from '../fixtures/faults/program.ts';
import { startAlertServer } from '../helpers/alert-server.ts';

const [good, stuck] = await Promise.all([startAlertServer(), startAlertServer()]);
stuck.reply = 'hang';

const folder = folderWith({
  // Its answer is waited for longer than this test may take.
  'taskwarden.yaml': `alertmanagers: [ { url: ${stuck.url}, timeout: 5m }, ${good.url} ]\nrules: [ rules.yaml ]\n`,
  // Evaluated at the start and then only by the last flush.
  'rules.yaml': `groups:
  - name: own
    interval: 1h
    rules:
      - alert: HasRun
        expr: sum by (task_name) (task_runs_total{task_name="monthly-report"}) > 0
`,
  // The blocker does not block when its file is there.
  there: '',
});
after(async () => {
  endPrograms();
  await Promise.all([good.stop(), stuck.stop()]);
  folder.remove();
});

test('the last alert of a process arrives, and a server that does not answer does not hold its end up', async () => {
  const { code, stderr } = await runProgram('blocker.ts', {
    args: [join(folder.path, 'there'), 'at-start'],
    env: {
      OTEL_LOGS_EXPORTER: 'none',
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_TRACES_EXPORTER: 'none',
      TASKWARDEN_SHIPPED_RULES: 'false',
    },
    cwd: folder.path,
  });
  assert.deepEqual([code, stderr], [0, '']);
  assert.equal(stuck.received.length, 1);
  const [alert] = JSON.parse(good.received[0]?.body ?? '[]');
  assert.equal(alert?.labels.alertname, 'HasRun');
});
