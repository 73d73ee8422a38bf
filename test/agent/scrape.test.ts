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

const MAIL = { 'task.name': 'send' };
const DURATION_BOUNDS = METRICS['messaging.process.duration'].buckets!;

test('what is counted before the first sample of a series is an increase', () => {
  const { registry, scraper, query } = setup();
  const increase = (series: string, t: number) => query(`increase(${series}[5m])`, t)[0]?.value;
  registry.add('task.runs', MAIL, 50);
  scraper.scrape(T0 + 500);
  assert.equal(increase('task_runs_total', T0 + 500), 50, 'before the first tick');
  const point = registry.histogram('messaging.process.duration', MAIL);
  for (const seconds of [DURATION_BOUNDS[0]!, 1e6]) observe(point, DURATION_BOUNDS, seconds);
  registry.add('task.duplicates', MAIL, 3);
  scraper.scrape(T0 + 5500);
  const t = T0 + 5500;
  assert.equal(increase('task_duplicates_total', t), 3, 'between two');
  const duration = 'messaging_process_duration_seconds';
  assert.equal(increase(`${duration}_count`, t), 2);
  assert.equal(increase(`${duration}_sum`, t), point.sum);
  assert.equal(increase(`${duration}_bucket{le="${DURATION_BOUNDS[0]}"}`, t), 1);
  assert.equal(increase(`${duration}_bucket{le="+Inf"}`, t), 2);
  assert.equal(query(`histogram_quantile(0.5, increase(${duration}_bucket[5m]))`, t).length, 1);
  for (let n = 1; n <= 3; n++) scraper.scrape(t + 5000 * n);
  assert.equal(increase('task_duplicates_total', t + 15_000), 3, 'once');
});

test('what was not 0 when it began has no sample before its first', () => {
  const { registry, scraper, query } = setup(1000);
  scraper.scrape(T0);
  registry.set('process.cpu.time', MAIL, 1000);
  registry.set('task.active', MAIL, 7);
  registry.add('task.handles.open', MAIL, 7);
  scraper.scrape(T0 + 5000);
  for (const series of ['process_cpu_time_seconds_total', 'task_active', 'task_handles_open']) {
    assert.equal(query(series, T0 + 5000).length, 1, series);
    assert.deepEqual(query(series, T0), [], series);
  }
});

test('what is over the cap of a metric, and has been counted by other series, does not begin at 0', () => {
  const registry = newRegistry(1);
  const store = new SeriesStore({ maxSeries: 1000, maxTicks: 100 });
  const scraper = new Scraper(registry, store, TARGET);
  registry.add('task.runs', MAIL, 1);
  scraper.scrape(T0);
  registry.add('task.runs', { 'task.name': 'other' }, 9);
  scraper.scrape(T0 + 5000);
  const found = (t: number) =>
    evaluateInstant(compile('task_runs_total{otel_metric_overflow="true"}'), store, t);
  assert.deepEqual(found(T0), { type: 'vector', samples: [] });
  assert.equal(found(T0 + 5000).type, 'vector');
});

test('a count that the store has had no room for, or that had ended, does not begin at 0 when it is there', () => {
  const registry = newRegistry();
  const store = new SeriesStore({ maxSeries: 2, maxTicks: 8 });
  const scraper = new Scraper(registry, store, TARGET);
  const increases = (t: number) => {
    const value = evaluateInstant(compile('increase({__name__=~"task_.+"}[100s]) > 0'), store, t);
    return value.type === 'vector' ? value.samples.map(({ labels }) => labels.task_name) : [];
  };
  registry.add('task.runs', MAIL, 0);
  registry.add('task.deadline.exceeded', MAIL, 4);
  registry.add('task.duplicates', { 'task.name': 'waiting' }, 9);
  let t = T0;
  const scrape = (times: number): void => {
    for (let n = 0; n < times; n++) {
      t += 5000;
      scraper.scrape(t);
    }
  };
  scrape(1);
  registry.remove('task.runs', MAIL);
  registry.remove('task.deadline.exceeded', MAIL);
  // Until both have left the store, the third has its place, and the second is there again.
  scrape(40);
  registry.add('task.deadline.exceeded', MAIL, 4);
  scrape(3);
  assert.equal(store.size, 2);
  assert.deepEqual(increases(t), []);
  registry.add('task.deadline.exceeded', MAIL, 1);
  registry.add('task.duplicates', { 'task.name': 'waiting' }, 1);
  scrape(1);
  assert.deepEqual(increases(t).sort(), ['send', 'waiting']);
});
