import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { suite, test } from 'node:test';
import { Asynq } from '../../helpers/asynq.ts';
import { CLI } from '../../helpers/built.ts';
import { asynqMissing } from '../../helpers/go-programs.ts';
import { knownSeries } from '../../helpers/metric-names.ts';
import type { ReceivedLog } from '../../helpers/otlp-items.ts';
import { type OtlpSink, startSink } from '../../helpers/otlp-sink.ts';
import { startRedis } from '../../helpers/redis.ts';
import { startServer } from '../../helpers/server-process.ts';

const GROWTH = 600_000_000;

/** The command line that a Go team starts beside its workers, to an OTLP receiver. */
suite('taskwarden watch beside workers of asynq', { skip: asynqMissing() }, () => {
  test('tells nothing under a name that asynq and a Go program have for what they tell themselves', async (t) => {
    const redis = await startRedis();
    const asynq = await Asynq.on(redis);
    await asynq.enqueue({ type: 'ok' });
    const exporter = asynq.exporter('-runtime');
    t.after(async () => {
      exporter.stop();
      await redis.stop();
    });
    const names = await exporter.scrape();
    for (const each of ['asynq_queue_size', 'go_goroutines', 'process_resident_memory_bytes'])
      assert.ok(names.includes(each), `${names}`);
    const own = knownSeries();
    assert.deepEqual(
      names.filter((name) => own.has(name)),
      [],
    );
  });

  test('alerts name the worker and the tasks in its hands', async (t) => {
    const redis = await startRedis();
    const sink: OtlpSink = await startSink();
    const asynq = await Asynq.on(redis);
    const watch = startServer(process.execPath, [CLI, 'watch', '--redis', redis.url, '--interval', '1s'], {
      OTEL_SERVICE_NAME: 'go-workers',
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_METRIC_EXPORT_INTERVAL: '500',
      TASKWARDEN_STORE_STEP: '1s',
      NODE_NO_WARNINGS: '1',
    });
    t.after(async () => {
      await watch.stop();
      await sink.down();
      await redis.stop();
    });
    const worker = asynq.worker('-concurrency', '4');
    t.after(() => worker.stop('SIGKILL'));
    const alert = (name: string) =>
      sink.waitFor(
        () => sink.logs.find(({ attributes }) => attributes['taskwarden.alert.name'] === name),
        60_000,
      );
    const metric = (name: string) =>
      sink.waitFor(() => sink.metrics.find((point) => point.name === name), 60_000);

    await metric('queue.worker.memory.usage');
    await asynq.enqueue(
      { type: 'stubborn:report:build', id: 'report-1', payload: { ms: 600_000, bytes: GROWTH } },
      { type: 'stubborn:report:build', id: 'report-2', payload: { ms: 600_000 } },
    );
    const grown = await alert('WorkerProcessGrows');
    assert.match(
      String(grown.body),
      new RegExp(
        `^go-workers: worker ${hostname()}:${worker.pid} grew 5\\d\\d(\\.\\d+)?MiB within 10 minutes; in flight: 2 stubborn:report:build$`,
      ),
    );
    assert.deepEqual(idsOf(grown), ['report-1', 'report-2']);

    await worker.stop('SIGKILL');
    const lost = await alert('TaskLost');
    assert.match(String(lost.body), /is gone with 2 stubborn:report:build of queue default in its hands$/);
    assert.deepEqual(idsOf(lost), ['report-1', 'report-2']);
    assert.equal(lost.attributes['taskwarden.alert.label.process_pid'], String(worker.pid));
  });
});

function idsOf({ attributes }: ReceivedLog): string[] {
  return [...(attributes['taskwarden.alert.runs.messaging.message.id'] as string[])].sort();
}
