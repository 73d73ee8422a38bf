import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askPort } from '../api/server.ts';
import { LISTENS, portOf, start, told } from '../fixtures/api/start.ts';
import { freePort } from '../helpers/free-port.ts';
import { installedPrometheus, startPrometheus } from '../helpers/prometheus.ts';

test('a Prometheus scrapes it, in OpenMetrics, under the names that rules use', async (t) => {
  const installed = installedPrometheus();
  if (installed === undefined) return t.skip('prometheus is not on PATH');
  const worker = start('worker.ts', { TASKWARDEN_HTTP: ':0' });
  const port = await portOf(worker);
  const config = `scrape_configs: [{job_name: scraped, scrape_interval: 1s, static_configs: [{targets: ['127.0.0.1:${port}']}]}]`;
  const prometheus = await startPrometheus(installed.path, { config });
  try {
    await prometheus.until(
      'a scrape',
      async () => (await prometheus.query('target_info{job="scraped"}')).length > 0,
    );
    const names = async (from: { get: typeof prometheus.get }) =>
      new Set(await from.get<string[]>('label/__name__/values'));
    const own: string[] = (await askPort(port, '/api/v1/label/__name__/values')).json.data;
    const there = await names(prometheus);
    assert.deepEqual(
      own.filter((name) => !there.has(name)),
      [],
    );
    assert.ok(own.includes('process_uptime_seconds') && own.length > 20);
  } finally {
    await prometheus.stop();
  }
});

test('of the workers of a cluster one has the shared port', async () => {
  const shared = await freePort();
  const cluster = start('cluster.ts', { SHARED: `127.0.0.1:${shared}` });
  await told(cluster, LISTENS);
  await told(cluster, /EADDRINUSE/);
  assert.equal((await askPort(shared, '/healthz')).status, 200);
  assert.equal(cluster.stderr().match(/the HTTP API listens/g)!.length, 1);
});
