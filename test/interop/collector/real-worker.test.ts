import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { resolve } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { Queue } from 'bullmq';
import { METRICS } from '../../../src/model/metrics.ts';
import { prometheusLabel, prometheusName } from '../../../src/model/prometheus-name.ts';
import { REGISTER } from '../../helpers/built.ts';
import { type Collector, startCollector } from '../../helpers/collector.ts';
import { bound } from '../../helpers/dashboard-json.ts';
import { emptyTargets } from '../../helpers/empty-targets.ts';
import { collectorBinary, goMissing, prometheus3Binaries } from '../../helpers/go-programs.ts';
import { knownSeries } from '../../helpers/metric-names.ts';
import { type Prometheus, startPrometheus } from '../../helpers/prometheus.ts';
import { type RedisServer, startRedis } from '../../helpers/redis.ts';
import { type ServerProcess, startServer } from '../../helpers/server-process.ts';

/**
 * A real BullMQ worker with the one preload line → collector → Prometheus 3: every query of the dashboards about workers of Node.js
 * finds its data, and every series is one of the metric table.
 */
const WORKER = resolve(import.meta.dirname, 'worker.ts');
const JOB = 'eu/mailer';
/** Metrics, or families of them, that this worker need not have, each with the reason. */
const MAY_BE_ABSENT: readonly (readonly [start: string, reason: string])[] = [
  ['task.memory.', 'too few full collections, nothing exhausted, no growth'],
  ['taskwarden.memory.', 'too few full collections'],
  ['task.cpu.samples', 'measured exactly'],
  ['task.payload.growth', 'all payloads have one size'],
  ['task.handles.open', 'nothing stays open'],
  ['task.file_descriptors.', 'nothing stays open'],
  ['task.jobs.retained', 'too few full collections'],
  ['task.circuit_breaker.', 'no Opossum'],
  ['task.crash', 'nobody died'],
  ['taskwarden.worker.crash.', 'nobody died'],
  ['task.poison.', 'nobody died'],
  ['taskwarden.recorder.files', 'no other worker'],
  ['container.', 'in no control group'],
  ['taskwarden.container.', 'in no control group, or one without limits'],
  ['taskwarden.telemetry.dropped', 'nothing was dropped'],
  ['taskwarden.export.failures', 'no export failed'],
  ['taskwarden.notifications', 'no Alertmanager'],
  ['taskwarden.actions', 'no rule asks for one'],
  ['taskwarden.blocks.excused', 'no block was'],
  ['taskwarden.http.', 'not configured'],
  ['taskwarden.agent.cpu.time', 'Node.js 22'],
  ['queue.', 'of libraries that this worker does not use'],
  ['task.lost', 'of asynq'],
  ['task.active.deadline', 'of asynq'],
  ['task.deadline.exceeded', 'of asynq'],
  ['task.failures.sampled', 'of asynq'],
];

suite('a preloaded worker fills the dashboards', { skip: goMissing() }, () => {
  const target = createServer((_, response) => response.end('x'.repeat(2000)));
  let redis: RedisServer;
  let prometheus: Prometheus;
  let collector: Collector;
  let worker: ServerProcess;
  let queue: Queue;
  let producing: NodeJS.Timeout;

  before(async () => {
    target.listen(0, '127.0.0.1');
    await once(target, 'listening');
    redis = await startRedis();
    prometheus = await startPrometheus((await prometheus3Binaries()).prometheus, { otlp: true });
    collector = await startCollector(await collectorBinary(), {
      PROMETHEUS_OTLP_ENDPOINT: `${prometheus.url}/api/v1/otlp`,
      LOGS_EXPORTERS: '[debug]',
      TRACES_EXPORTERS: '[debug]',
    });
    const { port } = target.address() as { port: number };
    worker = startServer(process.execPath, ['--import', REGISTER, WORKER], {
      REDIS_URL: redis.url,
      TARGET_URL: `http://127.0.0.1:${port}`,
      OTEL_SERVICE_NAME: 'mailer',
      OTEL_RESOURCE_ATTRIBUTES: 'service.namespace=eu,service.instance.id=worker-1',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.http,
      OTEL_METRIC_EXPORT_INTERVAL: '1000',
      TASKWARDEN_MACHINE_INTERVAL: '1s',
      TASKWARDEN_STORE_STEP: '1s',
      NODE_NO_WARNINGS: '1',
    });
    queue = new Queue('mail', { connection: { url: redis.url } });
    await queue.add('block', {});
    producing = setInterval(() => {
      for (const name of ['fetch', 'spin', 'quick']) void queue.add(name, { text: 'hello' });
      void queue.add('fail', {}, { attempts: 2, backoff: { type: 'fixed', delay: 50 } });
    }, 200);
  });

  after(async () => {
    clearInterval(producing);
    await queue?.close();
    await worker?.stop();
    await collector?.stop();
    await prometheus?.stop();
    await redis?.stop();
    target.close();
  });

  test('every query that should find data does', async () => {
    const count = async (expr: string) => (await prometheus.query(expr)).length;
    let empty: string[] = [];
    const complete = async () => {
      empty = await emptyTargets(count, '10s', ['taskwarden-asynq']);
      return empty.length === 0;
    };
    await worker
      .until('all data has arrived', complete, 60_000, 1000)
      .catch((error: Error) => assert.fail(`${empty.slice(0, 10).join('\n')}\n${error.message}`));
  });

  test('the alert that names the blocking task is there, and was printed by the collector', async () => {
    const alert = 'ALERTS{alertname="TaskBlocksEventLoop", alertstate="firing"}';
    await worker.until('the alert has arrived', async () => {
      const found = await prometheus.query(`max_over_time(${alert}[5m])`);
      return found.some(({ metric }) => metric.task_name === 'block' && metric.job === JOB);
    });
    assert.match(collector.output(), /taskwarden\.alert\.name=TaskBlocksEventLoop/);
  });

  test('every series has a name of the table and all of its labels', async () => {
    const known = knownSeries();
    const optional = new Set(
      Object.values(METRICS)
        .flatMap((metric) => metric.optional ?? [])
        .map(prometheusLabel),
    );
    const arrived = await prometheus.series(`{job="${JOB}"}`);
    assert.ok(arrived.length > 100);
    for (const { __name__: name = '', ...labels } of arrived) {
      if (name === 'target_info') continue;
      const series = known.get(name);
      assert.ok(series !== undefined, `${name} is not in the table`);
      for (const label of Object.keys(labels))
        assert.ok(series.labels.has(label) || name.startsWith('ALERTS'), `${name} has the label ${label}`);
      for (const label of series.labels)
        assert.ok(
          label in labels || optional.has(label) || name.startsWith('ALERTS'),
          `${name} lacks ${label}`,
        );
    }
  });

  test('what is not there has a reason', async () => {
    const names = new Set((await prometheus.series(`{job="${JOB}"}`)).map(({ __name__ }) => __name__));
    const absent = Object.entries(METRICS)
      .filter(([name, { unit, kind }]) => {
        const full = prometheusName(name, unit, kind);
        return !names.has(kind === 'histogram' ? `${full}_count` : full);
      })
      .map(([name]) => name);
    assert.deepEqual(
      absent.filter((name) => !MAY_BE_ABSENT.some(([start]) => name.startsWith(start))),
      [],
    );
  });

  test('the variables offer this worker, its queue and its tasks', async () => {
    const values = (label: string) =>
      prometheus.get<string[]>(`label/${label}/values`, { 'match[]': bound('task_runs_total{job=~"$job"}') });
    assert.deepEqual(await values('job'), [JOB]);
    assert.deepEqual(await values('instance'), ['worker-1']);
    assert.deepEqual(await values('messaging_destination_name'), ['mail']);
    assert.deepEqual(await values('task_name'), ['block', 'fail', 'fetch', 'quick', 'spin']);
  });
});
