import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { METRICS, type MetricName } from '../../../src/model/metrics.ts';
import { prometheusLabel, prometheusName } from '../../../src/model/prometheus-name.ts';
import { Registry } from '../../../src/store/registry.ts';
import { type Collector, startCollector } from '../../helpers/collector.ts';
import { bound, dashboards, targets } from '../../helpers/dashboard-json.ts';
import { collectorBinary, goMissing, prometheus3Binaries } from '../../helpers/go-programs.ts';
import { metricsRequest, postOtlp } from '../../helpers/otlp-json.ts';
import { type Prometheus, startPrometheus } from '../../helpers/prometheus.ts';
import { advance, combinations } from '../../helpers/synthetic.ts';

/**
 * Every metric of the table on the road that a user's takes: OTLP → collector with our file → Prometheus 3. Names and labels
 * must arrive as src/model/prometheus-name.ts says, and every dashboard query must find data.
 */
const RESOURCE = { 'service.name': 'shop', 'service.instance.id': 'worker-1' };
const IDENTITY = { job: 'shop', instance: 'worker-1' };
const ALERT = { alertname: 'TaskBlocksEventLoop', alertstate: 'firing', 'task.name': 'task.name-a' };
const STEPS = 21;
const STEP_MS = 15_000;

suite('metrics through collector and Prometheus 3', { skip: goMissing() }, () => {
  let prometheus: Prometheus;
  let collector: Collector;
  const end = Math.floor(Date.now() / 1000) * 1000;
  const start = end - (STEPS - 1) * STEP_MS;

  before(async () => {
    const binary = await collectorBinary();
    prometheus = await startPrometheus((await prometheus3Binaries()).prometheus, { otlp: true });
    collector = await startCollector(binary, {
      PROMETHEUS_OTLP_ENDPOINT: `${prometheus.url}/api/v1/otlp`,
    });
    const registry = new Registry(start - STEP_MS, { maxSeriesPerMetric: 2000 });
    for (let step = 0; step < STEPS; step++) {
      advance(registry, step);
      const gauges = [
        { name: 'ALERTS', attributes: ALERT, value: 1 },
        { name: 'ALERTS_FOR_STATE', attributes: { alertname: ALERT.alertname }, value: start / 1000 },
      ];
      await postOtlp(
        `${collector.http}/v1/metrics`,
        metricsRequest(RESOURCE, registry, start + step * STEP_MS, gauges),
      );
    }
    await prometheus.until('the last sample has arrived', async () => {
      const [last] = await prometheus.query('timestamp(taskwarden_series)', end / 1000);
      return Number(last?.value[1]) === end / 1000;
    });
  });

  after(async () => {
    await collector?.stop();
    await prometheus?.stop();
  });

  test('each metric has exactly the name and labels of the table, with job and instance', async () => {
    const expected = new Set(['ALERTS', 'ALERTS_FOR_STATE'].map((name) => alertKey(name)));
    for (const name of Object.keys(METRICS) as MetricName[])
      for (const key of keysOf(name)) expected.add(key);
    const arrived = await prometheus.series('{job="shop"}');
    const actual = arrived.filter((labels) => labels.__name__ !== 'target_info').map(key);
    assert.deepEqual(actual.sort(), [...expected].sort());
  });

  test('counters and histograms arrive with their values', async () => {
    const at = end / 1000;
    const [runs] = await prometheus.query('max(task_runs_total)', at);
    assert.equal(Number(runs?.value[1]), STEPS * combinations('task.runs').length);
    const [payloads] = await prometheus.query('max(task_payload_size_bytes_count)', at);
    assert.equal(Number(payloads?.value[1]), STEPS);
  });

  test('every dashboard query finds data that is a number', async () => {
    let count = 0;
    for (const { where, target } of targets()) {
      const found = await prometheus.queryRange(bound(target.expr), start / 1000 + 60, end / 1000, 15);
      assert.ok(found.length > 0, `${where}: nothing for ${target.expr}`);
      for (const { metric, values } of found) {
        const last = Number(values.at(-1)?.[1]);
        assert.ok(Number.isFinite(last), `${where}: ${JSON.stringify(metric)} ends with ${last}`);
      }
      count++;
    }
    assert.ok(count > 50);
  });

  test('annotations and variables find data', async () => {
    for (const [file, { annotations, templating }] of dashboards()) {
      for (const { expr } of annotations.list)
        assert.equal((await prometheus.query(bound(expr), end / 1000)).length, 1, `${file}: ${expr}`);
      for (const { query, type } of templating.list) {
        if (type !== 'query') continue;
        const text = bound(typeof query === 'string' ? query : query.query);
        const [, selector, label] = /^label_values\((.*), ([a-z_]+)\)$/.exec(text)!;
        const found = await prometheus.get<string[]>(`label/${label}/values`, { 'match[]': selector! });
        assert.ok(found.length > 0, `${file}: ${text}`);
      }
    }
  });

  test('an alert that ends with NoRecordedValue is gone with that sample', async () => {
    const other = { 'service.namespace': 'eu', 'service.name': 'mail', 'service.instance.id': 'worker-9' };
    const empty = new Registry(start, { maxSeriesPerMetric: 2000 });
    for (const [time, value] of [
      [end - STEP_MS, 1],
      [end, undefined],
    ] as const) {
      const gauge = { name: 'ALERTS', attributes: ALERT, value };
      await postOtlp(`${collector.http}/v1/metrics`, metricsRequest(other, empty, time, [gauge]));
    }
    const alerts = (time: number) => prometheus.query('ALERTS{job="eu/mail"}', time / 1000);
    await prometheus.until('the alert has come and gone', async () => {
      return (await alerts(end - 1)).length === 1 && (await alerts(end)).length === 0;
    });
  });

  test('one task, one queue and one instance can be picked', async () => {
    const expr = [...targets()].find(({ panel }) => panel.title === 'Runs')!.target.expr;
    const picked = bound(
      expr.replace('$task', 'task.name-a').replace('$queue', 'messaging.destination.name-b'),
    );
    const found = await prometheus.query(picked, end / 1000);
    assert.deepEqual(
      found.map(({ metric }) => metric),
      [{ task_name: 'task.name-a', messaging_destination_name: 'messaging.destination.name-b' }],
    );
  });
});

function key(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort());
}

function alertKey(name: string): string {
  const { alertname, alertstate, 'task.name': task } = ALERT;
  const labels = { __name__: name, ...IDENTITY, alertname };
  return key(name === 'ALERTS' ? { ...labels, alertstate, task_name: task } : labels);
}

/** The series of one metric as Prometheus should have them. */
function keysOf(name: MetricName): string[] {
  const { unit, kind, buckets } = METRICS[name];
  const full = prometheusName(name, unit, kind);
  return combinations(name).flatMap((attributes) => {
    const own = Object.entries(attributes).map(([attribute, value]) => [prometheusLabel(attribute), value]);
    const labels = { ...IDENTITY, ...Object.fromEntries(own) };
    if (kind !== 'histogram') return [key({ __name__: full, ...labels })];
    const bounds = [...(buckets ?? []).map(String), '+Inf'];
    return [
      ...bounds.map((le) => key({ __name__: `${full}_bucket`, ...labels, le })),
      key({ __name__: `${full}_sum`, ...labels }),
      key({ __name__: `${full}_count`, ...labels }),
    ];
  });
}
