import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { METRICS, type MetricName } from '../../../src/model/metrics.ts';
import { prometheusLabel, prometheusName } from '../../../src/model/prometheus-name.ts';
import { MetricsReader } from '../../../src/otlp/metrics.ts';
import { evaluateRange } from '../../../src/promql/evaluate.ts';
import { compile } from '../../../src/promql/promql.ts';
import { Registry } from '../../../src/store/registry.ts';
import { type Collector, startCollector } from '../../helpers/collector.ts';
import { bound, dashboards, targets } from '../../helpers/dashboard-json.ts';
import { exporterTo, PROTOCOLS } from '../../helpers/exporter-to.ts';
import { collectorBinary, goMissing, prometheus3Binaries } from '../../helpers/go-programs.ts';
import { type Prometheus, type RangeSeries, startPrometheus } from '../../helpers/prometheus.ts';
import { combinations } from '../../helpers/synthetic.ts';
import { ALERT, type SyntheticRun, syntheticRun } from '../../helpers/synthetic-store.ts';

/**
 * Every metric of the table on the road that a user's takes: our exporter → collector with our file → Prometheus 3. Names
 * and labels must arrive as src/model/prometheus-name.ts says, every dashboard query must find data, and the agent's own
 * store and engine must give the same answers.
 */
const IDENTITY = { job: 'shop', instance: 'worker-1' };
const TICKS = 21;
const STEP_MS = 15_000;

suite('metrics through collector and Prometheus 3', { skip: goMissing() }, () => {
  let prometheus: Prometheus;
  let collector: Collector;
  let run: SyntheticRun;
  const end = Math.floor(Date.now() / STEP_MS) * STEP_MS;

  before(async () => {
    const binary = await collectorBinary();
    prometheus = await startPrometheus((await prometheus3Binaries()).prometheus, { otlp: true });
    collector = await startCollector(binary, {
      PROMETHEUS_OTLP_ENDPOINT: `${prometheus.url}/api/v1/otlp`,
    });
    const out = exporterTo(collector, 'http/protobuf', {
      'service.name': 'shop',
      'service.instance.id': 'worker-1',
    });
    let reader: MetricsReader | undefined;
    run = await syntheticRun(IDENTITY, end, TICKS, STEP_MS, async (registry, time) => {
      reader ??= new MetricsReader(registry);
      const alerts = [
        { name: 'ALERTS', labels: { ...ALERT, alertstate: 'firing' }, value: 1 },
        { name: 'ALERTS_FOR_STATE', labels: ALERT, value: (end - (TICKS - 1) * STEP_MS) / 1000 },
      ];
      out.metrics(reader.read(time, alerts));
      await out.flush(10_000);
    });
    await out.shutdown();
    await prometheus.until('the last sample has arrived', async () => {
      const [last] = await prometheus.query('timestamp(taskwarden_series{job="shop"})', end / 1000);
      return Number(last?.value[1]) === end / 1000;
    });
  });

  after(async () => {
    await collector?.stop();
    await prometheus?.stop();
  });

  test('each metric has exactly the name and labels of the table, with job and instance', async () => {
    const names = Object.keys(METRICS) as MetricName[];
    const expected = [...names.flatMap(keysOf), ...alertKeys()].sort();
    const arrived = await prometheus.series('{job="shop"}');
    assert.deepEqual(
      arrived
        .filter((labels) => labels.__name__ !== 'target_info')
        .map(key)
        .sort(),
      expected,
    );
    const own = run.store.select(
      [{ name: 'job', type: '=', value: 'shop', matches: (value) => value === 'shop' }],
      0,
      end,
    );
    assert.deepEqual(own.map(({ labels }) => key(labels)).sort(), expected, "the agent's own store");
  });

  test('every dashboard query finds data, the same as on the own engine', async () => {
    let count = 0;
    for (const { where, target } of targets()) {
      const expr = bound(target.expr);
      const [from, to] = [run.start + 60_000, run.end];
      const found = await prometheus.queryRange(expr, from / 1000, to / 1000, STEP_MS / 1000);
      assert.ok(found.length > 0, `${where}: nothing for ${target.expr}`);
      const own = evaluateRange(compile(expr), run.store, from, to, STEP_MS).series;
      assertSame(
        own.map(({ labels, times, values }) => ({
          metric: labels,
          values: times.map((time, i) => [time / 1000, String(values[i])] as const),
        })),
        found,
        `${where}: ${expr}`,
      );
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

  for (const protocol of PROTOCOLS) {
    test(`${protocol}: an alert that has ended is gone with the next export; job is namespace/name`, async () => {
      const name = `mail-${protocol.replace('/', '-')}`;
      const out = exporterTo(collector, protocol, {
        'service.namespace': 'eu',
        'service.name': name,
        'service.instance.id': 'worker-9',
      });
      const reader = new MetricsReader(new Registry(run.start, { maxSeriesPerMetric: 2000 }));
      const alert = { name: 'ALERTS', labels: { ...ALERT, alertstate: 'firing' }, value: 1 };
      for (const [time, alerts] of [
        [end - STEP_MS, [alert]],
        [end, []],
      ] as const) {
        out.metrics(reader.read(time, alerts));
        await out.flush(10_000);
      }
      await out.shutdown();
      const alerts = (time: number) => prometheus.query(`ALERTS{job="eu/${name}"}`, time / 1000);
      await prometheus.until('the alert has come and gone', async () => {
        return (await alerts(end - 1)).length === 1 && (await alerts(end)).length === 0;
      });
    });
  }
});

function key(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort());
}

function alertKeys(): string[] {
  const labels = { ...IDENTITY, ...ALERT };
  return [
    key({ ...labels, __name__: 'ALERTS', alertstate: 'firing' }),
    key({ ...labels, __name__: 'ALERTS_FOR_STATE' }),
  ];
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

/** Equal series with equal times; values may differ by rounding. */
function assertSame(actual: readonly RangeSeries[], expected: readonly RangeSeries[], where: string): void {
  const byKey = new Map(actual.map((series) => [key(series.metric), series.values]));
  assert.deepEqual([...byKey.keys()].sort(), expected.map(({ metric }) => key(metric)).sort(), where);
  for (const { metric, values } of expected) {
    const own = byKey.get(key(metric))!;
    const times = (list: RangeSeries['values']) => list.map(([time]) => time);
    assert.deepEqual(times(own), times(values), where);
    values.forEach(([time, text], i) => {
      const [a, b] = [Number(own[i]![1]), Number(text)];
      const near = Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b));
      assert.ok(near || Object.is(a, b), `${where}: ${key(metric)} at ${time} is ${a}, Prometheus has ${b}`);
    });
  }
}
