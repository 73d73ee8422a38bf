import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { formatFor } from '../../src/api/exposition.ts';
import { METRICS } from '../../src/model/metrics.ts';
import { observe, Registry } from '../../src/store/registry.ts';
import { advance } from '../helpers/synthetic.ts';
import { serve, T0 } from './server.ts';

const OPENMETRICS = 'application/openmetrics-text;version=1.0.0';

const registry = new Registry(T0, { maxSeriesPerMetric: 100 });
registry.add('task.runs', { 'task.name': 'a "b"\\\n', 'task.outcome': 'success' }, 3);
registry.set('process.cpu.utilization', {}, 0.5);
const duration = registry.histogram('messaging.process.duration', { 'task.name': 'x' });
const bounds = METRICS['messaging.process.duration'].buckets!;
observe(duration, bounds, 0.001);
observe(duration, bounds, 1e9);
const resource = { 'service.name': 'worker', 'process.pid': 7, 'a.b': '1', a_b: '2' };
const { ask, get } = await serve({ metrics: () => registry.metrics(), resource });

test('the classic text', async () => {
  const { headers, body } = await ask('/metrics');
  assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  const lines = body.split('\n');
  assert.ok(lines.includes('# TYPE task_runs_total counter'));
  assert.ok(lines.includes('task_runs_total{task_name="a \\"b\\"\\\\\\n",task_outcome="success"} 3'), body);
  assert.ok(lines.includes('process_cpu_utilization_ratio 0.5'));
  assert.ok(lines.includes('messaging_process_duration_seconds_bucket{task_name="x",le="1"} 1'), body);
  assert.ok(lines.includes('messaging_process_duration_seconds_bucket{task_name="x",le="+Inf"} 2'));
  assert.ok(lines.includes('messaging_process_duration_seconds_sum{task_name="x"} 1000000000.001'));
  assert.ok(lines.includes('messaging_process_duration_seconds_count{task_name="x"} 2'));
  assert.ok(lines.includes('target_info{service_name="worker",process_pid="7",a_b="2"} 1'));
  assert.ok(!body.includes('# EOF'));
});

test('OpenMetrics', async () => {
  const { headers, body } = await ask('/metrics', { headers: { Accept: OPENMETRICS } });
  assert.equal(headers['content-type'], 'application/openmetrics-text; version=1.0.0; charset=utf-8');
  const lines = body.split('\n');
  assert.ok(lines.includes('# TYPE task_runs counter'));
  assert.ok(lines.some((line) => line.startsWith('task_runs_total{')));
  assert.ok(lines.includes('messaging_process_duration_seconds_bucket{task_name="x",le="1.0"} 1'));
  assert.ok(lines.includes('# TYPE target info'));
  assert.ok(body.endsWith('# EOF\n'));
});

test('the format is what the client prefers', () => {
  for (const [accept, format] of [
    [undefined, 'text'],
    ['*/*', 'text'],
    [
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      'openmetrics',
    ],
    ['text/plain;version=0.0.4;q=0.9, application/openmetrics-text;q=0.5', 'text'],
    ['application/openmetrics-text;q=0', 'text'],
    ['application/json', 'text'],
  ] as const)
    assert.equal(formatFor(accept), format, accept);
});

test('metadata has type and description by the name of the metric', async () => {
  const data = (await get('metadata')).json.data;
  const { description: help } = METRICS['task.runs'];
  assert.deepEqual(data.task_runs_total, [{ type: 'counter', help, unit: '' }]);
  assert.equal(data.messaging_process_duration_seconds[0].type, 'histogram');
  assert.deepEqual(Object.keys((await get('metadata', { limit: '2' })).json.data).length, 2);
  assert.deepEqual(Object.keys((await get('metadata', { metric: 'task_runs_total' })).json.data), [
    'task_runs_total',
  ]);
  assert.deepEqual((await get('metadata', { metric: 'none' })).json.data, {});
  assert.deepEqual((await get('metadata', { limit_per_metric: '0', limit: '1' })).json.data, {
    task_runs_total: [],
  });
});

test('promtool has nothing to say but that two names of the semantic conventions end in _count', async (t) => {
  if (spawnSync('promtool', ['--version']).error !== undefined) return t.skip('promtool is not on PATH');
  const full = new Registry(T0, { maxSeriesPerMetric: 1000 });
  advance(full, 1);
  const { ask: askFull } = await serve({ metrics: () => full.metrics() });
  const { body } = await askFull('/metrics');
  const { stderr, stdout } = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' });
  const complaints = `${stdout}${stderr}`.split('\n').filter((line) => line !== '');
  assert.deepEqual(
    complaints.filter((line) => !/_count non-histogram and non-summary/.test(line)),
    [],
  );
  const families = body.match(/^# TYPE /gm)!.length;
  assert.equal(families, Object.keys(METRICS).length + 1);
});
