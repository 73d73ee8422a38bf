import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Scraper } from '../../src/agent/scrape.ts';
import { METRICS } from '../../src/model/metrics.ts';
import { evaluateInstant } from '../../src/promql/evaluate.ts';
import { compile } from '../../src/promql/promql.ts';
import { observe } from '../../src/store/registry.ts';
import { SeriesStore } from '../../src/store/series-store.ts';
import { newRegistry } from './parts.ts';

const TARGET = { job: 'shop/worker', instance: 'a-1' };
const T0 = 1_700_000_000_000;

function setup(maxSeries = 1000) {
  const registry = newRegistry();
  const store = new SeriesStore({ maxSeries, maxTicks: 100 });
  const scraper = new Scraper(registry, store, TARGET);
  const query = (expr: string, t: number) => {
    const value = evaluateInstant(compile(expr), store, t);
    assert.equal(value.type, 'vector');
    return value.type === 'vector' ? [...value.samples] : [];
  };
  return { registry, store, scraper, query };
}

test('a number is a series under its Prometheus name, with job and instance', () => {
  const { registry, scraper, query } = setup();
  const attributes = { 'task.name': 'send', 'task.outcome': 'success' };
  registry.add('task.runs', attributes, 3);
  scraper.scrape(T0);
  registry.add('task.runs', attributes, 4);
  scraper.scrape(T0 + 5000);
  assert.deepEqual(query('task_runs_total', T0)[0]?.value, 3);
  const [sample] = query('task_runs_total', T0 + 5000);
  assert.deepEqual(
    { ...sample?.labels },
    { __name__: 'task_runs_total', task_name: 'send', task_outcome: 'success', ...TARGET },
  );
  assert.equal(sample?.value, 7);
  assert.equal(query('increase(task_runs_total[10s]) > 0', T0 + 5000).length, 1);
});

test('a histogram is cumulative buckets, sum and count', () => {
  const { registry, scraper, query } = setup();
  const point = registry.histogram('messaging.process.duration', { 'task.name': 'send' });
  const bounds = METRICS['messaging.process.duration'].buckets!;
  for (const seconds of [bounds[0]!, bounds[1]!, bounds[1]!, 1e6]) observe(point, bounds, seconds);
  scraper.scrape(T0);
  const buckets = query('messaging_process_duration_seconds_bucket', T0);
  assert.equal(buckets.length, bounds.length + 1);
  const bucket = (le: string): number | undefined => buckets.find(({ labels }) => labels.le === le)?.value;
  assert.equal(bucket(String(bounds[0])), 1);
  assert.equal(bucket(String(bounds[1])), 3);
  assert.equal(bucket(String(bounds.at(-1))), 3);
  assert.equal(bucket('+Inf'), 4);
  assert.equal(query('messaging_process_duration_seconds_count', T0)[0]?.value, 4);
  assert.equal(query('messaging_process_duration_seconds_sum', T0)[0]?.value, point.sum);
  assert.equal(query('histogram_quantile(0.5, messaging_process_duration_seconds_bucket)', T0).length, 1);
});

test('what the registry no longer has ends at once, and may come back', () => {
  const { registry, scraper, query } = setup();
  registry.set('task.memory.retained', { 'task.name': 'send' }, 10);
  scraper.scrape(T0);
  registry.remove('task.memory.retained', { 'task.name': 'send' });
  scraper.scrape(T0 + 1000);
  assert.equal(query('task_memory_retained_bytes', T0).length, 1);
  assert.deepEqual(query('task_memory_retained_bytes', T0 + 1000), []);
  registry.set('task.memory.retained', { 'task.name': 'send' }, 20);
  scraper.scrape(T0 + 2000);
  assert.equal(query('task_memory_retained_bytes', T0 + 2000)[0]?.value, 20);
});

test('what is removed and set again between two scrapes goes on', () => {
  const { registry, scraper, query } = setup();
  const poison = { 'task.name': 'send' };
  registry.set('task.poison.deaths', poison, 3);
  scraper.scrape(T0);
  registry.remove('task.poison.deaths', poison);
  registry.set('task.poison.deaths', poison, 4);
  scraper.scrape(T0 + 1000, ['task.poison.deaths']);
  scraper.scrape(T0 + 2000);
  for (const ms of [1000, 2000]) assert.equal(query('task_poison_deaths', T0 + ms)[0]?.value, 4);
});

test('what is not known has no sample', () => {
  const { registry, scraper, query } = setup();
  registry.set('process.uptime', {}, Number.NaN);
  scraper.scrape(T0);
  assert.deepEqual(query('process_uptime_seconds', T0), []);
  registry.set('process.uptime', {}, 7);
  scraper.scrape(T0 + 1000);
  assert.equal(query('process_uptime_seconds', T0 + 1000)[0]?.value, 7);
  registry.set('process.uptime', {}, Number.NaN);
  scraper.scrape(T0 + 2000);
  assert.deepEqual(query('process_uptime_seconds', T0 + 2000), []);
});

test('a time that is not later than the last is left out', () => {
  const { registry, scraper, store, query } = setup();
  registry.set('task.active', { 'task.name': 'send' }, 1);
  scraper.scrape(T0);
  registry.set('task.active', { 'task.name': 'send' }, 2);
  scraper.scrape(T0 - 1000);
  assert.equal(store.lastTick, T0);
  assert.equal(query('task_active', T0)[0]?.value, 1);
  scraper.scrape(T0 + 1000);
  assert.equal(query('task_active', T0 + 1000)[0]?.value, 2, 'and it goes on');
});

test('series over the cap of the store are dropped and counted, those that fit stay right', () => {
  const { registry, scraper, store } = setup(10);
  for (let n = 0; n < 25; n++) registry.set('task.active', { 'task.name': `task-${n}` }, n);
  scraper.scrape(T0);
  scraper.scrape(T0 + 1000);
  assert.equal(store.size, 10);
  assert.equal(store.droppedSamples, 30);
});
