import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Asynq } from '../../helpers/asynq.ts';
import { CLI } from '../../helpers/built.ts';
import { type Collector, startCollector } from '../../helpers/collector.ts';
import { bound, dashboards, targets } from '../../helpers/dashboard-json.ts';
import { EXCUSED } from '../../helpers/empty-targets.ts';
import { asynqMissing, collectorBinary, goMissing, prometheus3Binaries } from '../../helpers/go-programs.ts';
import { type Prometheus, startPrometheus } from '../../helpers/prometheus.ts';
import { type RedisServer, startRedis } from '../../helpers/redis.ts';
import { type ServerProcess, startServer } from '../../helpers/server-process.ts';

const UID = 'taskwarden-asynq';
const JOB = 'go-workers';
/** Targets that need not have data here, each with the reason. */
const NOT_HERE = new Map([
  ['Memory of workers/B', 'the worker may be in no control group'],
  ['Memory of workers/C', 'nor in one with a limit'],
  ['Memory growth by type/A', 'it takes minutes of growth until a type can be told'],
  ['Memory growth by type/B', 'likewise'],
  ['Groups/C', 'there is one group'],
  ['Bytes read and written/B', 'the worker has the network of the watcher'],
]);

/** Real workers of asynq ← `taskwarden watch` → collector → Prometheus 3: each query of the dashboard finds its data. */
suite('workers of asynq fill their dashboard', { skip: goMissing() || asynqMissing() }, () => {
  const running: ServerProcess[] = [];
  const start = (process: ServerProcess): ServerProcess => {
    running.push(process);
    return process;
  };
  let redis: RedisServer;
  let prometheus: Prometheus;
  let collector: Collector;
  let watch: ServerProcess;
  const began = Date.now() / 1000;
  const found = (expr: string) => prometheus.queryRange(bound(expr, '10s'), began, Date.now() / 1000, 2);

  before(async () => {
    redis = await startRedis();
    prometheus = await startPrometheus((await prometheus3Binaries()).prometheus, { otlp: true });
    collector = await startCollector(await collectorBinary(), {
      PROMETHEUS_OTLP_ENDPOINT: `${prometheus.url}/api/v1/otlp`,
      LOGS_EXPORTERS: '[debug]',
      TRACES_EXPORTERS: '[debug]',
    });
    watch = startServer(
      process.execPath,
      [CLI, 'watch', '--system', 'asynq', '--redis', redis.url, '--interval', '1s'],
      {
        OTEL_SERVICE_NAME: JOB,
        OTEL_RESOURCE_ATTRIBUTES: 'service.instance.id=watch-1',
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.http,
        OTEL_METRIC_EXPORT_INTERVAL: '1000',
        TASKWARDEN_STORE_STEP: '1s',
        NODE_NO_WARNINGS: '1',
      },
    );
    const asynq = await Asynq.on(redis);
    start(asynq.scheduler('-type', 'ok:periodic'));
    start(asynq.worker('-queues', 'default=3,low=1', '-retry-delay', '2s', '-groups'));
    const victim = start(asynq.worker('-queues', 'doomed=1', '-concurrency', '1'));
    const long = { ms: 600_000 };
    await asynq.enqueue(
      { type: 'stubborn:report', payload: long },
      { type: 'stubborn:lost', queue: 'doomed', payload: long },
      { type: 'fail:mail', queue: 'low', payload: { error: 'no such mailbox' } },
      { type: 'archive:mail', queue: 'low', payload: { error: 'refused' } },
      { type: 'ok:later', processIn: 3_600_000 },
      { type: 'ok:kept', retention: 3_600_000 },
      { type: 'ok:grouped', group: 'g1' },
    );
    const lives = 'task_active{task_name="stubborn:lost"} == 1';
    await watch.until(
      'the task is in flight',
      async () => (await prometheus.query(lives)).length > 0,
      60_000,
    );
    await victim.stop('SIGKILL');
  });

  after(async () => {
    await Promise.all(running.map((each) => each.stop('SIGKILL')));
    await watch?.stop();
    await collector?.stop();
    await prometheus?.stop();
    await redis?.stop();
  });

  test('what need not have data here is excused by the dashboard, too', () => {
    for (const key of NOT_HERE.keys()) assert.ok(EXCUSED.has(`${UID}/${key}`), key);
  });

  test('every query finds data', async () => {
    const own = [...targets()].filter(
      ({ uid, panel, target }) => uid === UID && !NOT_HERE.has(`${panel.title}/${target.refId}`),
    );
    assert.ok(own.length > 40, `only ${own.length} targets`);
    let empty: string[] = [];
    const complete = async () => {
      const series = await Promise.all(own.map(({ target }) => found(target.expr)));
      empty = own
        .filter((_, at) => series[at]!.length === 0)
        .map(({ where, target }) => `${where}: ${target.expr}`);
      return empty.length === 0;
    };
    await watch
      .until('all data has arrived', complete, 90_000, 1000)
      .catch((error: Error) => assert.fail(`${empty.slice(0, 10).join('\n')}\n${error.message}`));
  });

  test('it tells which type is lost, and which fails', async () => {
    const types = async (title: string) => {
      const { target } = [...targets()].find(({ uid, panel }) => uid === UID && panel.title === title)!;
      return new Set((await found(target.expr)).map(({ metric }) => metric.task_name));
    };
    assert.deepEqual(await types('Lost tasks'), new Set(['stubborn:lost']));
    // What is tried again is not among the failures while it runs.
    let failing = new Set<string | undefined>();
    const both = async () => {
      failing = await types('Types among the newest failures');
      return failing.size >= 2;
    };
    await watch.until('both types are among the failures', both, 30_000, 500);
    assert.deepEqual(failing, new Set(['archive:mail', 'fail:mail']));
  });

  test('the variables offer the watcher, the queues and the types seen in flight', async () => {
    const { list } = dashboards().get('asynq.json')!.templating;
    const values = (name: string) => {
      const { query } = list.find((variable) => variable.name === name)!;
      const [, selector = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(
        (query as { query: string }).query,
      )!;
      return prometheus.get<string[]>(`label/${label}/values`, { 'match[]': bound(selector) });
    };
    assert.deepEqual(await values('job'), [JOB]);
    assert.deepEqual(await values('instance'), ['watch-1']);
    assert.deepEqual(await values('queue'), ['default', 'doomed', 'low']);
    const seen = await values('task');
    for (const type of ['stubborn:report', 'stubborn:lost']) assert.ok(seen.includes(type), `${seen}`);
  });
});
