import assert from 'node:assert/strict';
import { test } from 'node:test';
import { METRICS } from '../../src/model/metrics.ts';
import { Registry } from '../../src/store/registry.ts';
import { serve, storeOf, T0 } from './server.ts';

/**
 * The requests of Grafana's Prometheus data source, as its source makes them (pkg/promlib: healthcheck.go, heuristics.go,
 * client/client.go; packages/grafana-prometheus: language_provider.ts, datasource.ts), in the order in which a user causes them.
 */

const SECOND = T0 / 1000;
const RANGE = `start=${SECOND}&end=${SECOND + 95}`;
const registry = new Registry(T0, { maxSeriesPerMetric: 10 });
registry.add('task.runs', { 'task.name': 'send' }, 1);
const { ask, faults } = await serve({
  queryable: storeOf([
    [{ __name__: 'task_runs_total', job: 'w', instance: 'i', task_name: 'send' }, (tick) => tick],
  ]),
  metrics: () => registry.metrics(),
});

/** Grafana's server asks, not the browser: there is neither Origin nor Sec-Fetch-Site. */
const HEADERS = { 'User-Agent': 'Grafana/12.3.0', 'X-Grafana-Org-Id': '1', 'Accept-Encoding': 'gzip' };

async function get(path: string) {
  const { status, headers, json } = await ask(path, { headers: HEADERS });
  assert.deepEqual(
    [status, headers['content-type'], json.status],
    [200, 'application/json', 'success'],
    path,
  );
  return json.data;
}

async function post(path: string, body: string) {
  const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const { status, json } = await ask(path, { method: 'POST', headers: { ...HEADERS, ...form }, body });
  assert.deepEqual([status, json.status], [200, 'success'], path);
  return json.data;
}

test('save & test: 1+1 at second 4, then the build, which must say Prometheus', async () => {
  assert.deepEqual(await post('/api/v1/query', 'query=1%2B1&time=4'), {
    resultType: 'scalar',
    result: [4, '2'],
  });
  assert.deepEqual(await get('/api/v1/query?query=1%2B1&time=4'), { resultType: 'scalar', result: [4, '2'] });
  const build = await get('/api/v1/status/buildinfo');
  assert.match(build.version, /^3\.\d+\.\d+$/);
  // Features would make it a Mimir.
  assert.equal(build.features, undefined);
});

test('the query editor: names, metadata, labels and their values', async () => {
  assert.deepEqual(await get(`/api/v1/label/__name__/values?${RANGE}`), ['task_runs_total']);
  assert.deepEqual(await get(`/api/v1/label/__name__/values?${RANGE}&limit=40000`), ['task_runs_total']);
  assert.deepEqual(Object.keys(await get('/api/v1/metadata')), ['task_runs_total']);
  assert.equal(
    (await get('/api/v1/metadata?limit=40000')).task_runs_total[0].help,
    METRICS['task.runs'].description,
  );
  assert.deepEqual(await post('/api/v1/labels', RANGE), ['__name__', 'instance', 'job', 'task_name']);
  assert.deepEqual(await post('/api/v1/labels', `${RANGE}&match%5B%5D=task_runs_total`), [
    '__name__',
    'instance',
    'job',
    'task_name',
  ]);
  const selector = encodeURIComponent('{__name__="task_runs_total",job="w"}');
  assert.deepEqual(await get(`/api/v1/label/task_name/values?${RANGE}&match%5B%5D=${selector}`), ['send']);
  assert.equal((await post('/api/v1/series', `${RANGE}&match%5B%5D=${selector}&limit=40000`)).length, 1);
});

test('a panel: a range by POST, exemplars, and an instant for the table', async () => {
  const query = encodeURIComponent('sum by(task_name) (rate(task_runs_total{job="w"}[1m0s]))');
  const { resultType, result } = await post(
    '/api/v1/query_range',
    `end=${SECOND + 90}&query=${query}&start=${SECOND + 60}&step=15&timeout=60s`,
  );
  assert.equal(resultType, 'matrix');
  assert.deepEqual(result[0].metric, { task_name: 'send' });
  assert.deepEqual(
    result[0].values.map(([time]: [number]) => time),
    [60, 75, 90].map((at) => SECOND + at),
  );
  assert.deepEqual(await post('/api/v1/query_exemplars', `query=${query}&${RANGE}`), []);
  assert.equal((await post('/api/v1/query', `query=${query}&time=${SECOND + 90}.5`)).resultType, 'vector');
});

test('alerting: rules and alerts', async () => {
  assert.deepEqual(await get('/api/v1/rules'), { groups: [] });
  assert.deepEqual(await get('/api/v1/rules?type=alert&group_limit=40'), { groups: [] });
  assert.deepEqual(await get('/api/v1/alerts'), { alerts: [] });
});

test('a mistake in a panel is shown in the words of Prometheus', async () => {
  const { status, json } = await ask('/api/v1/query_range?query=sum(&start=1&end=2&step=1', {
    headers: HEADERS,
  });
  assert.deepEqual([status, json.errorType], [400, 'bad_data']);
  assert.match(json.error, /parse error/);
  assert.deepEqual(faults, []);
});
