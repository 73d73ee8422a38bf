import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createHostCollector } from '../../src/host/collector.ts';
import { METRICS, type MetricName } from '../../src/model/metrics.ts';
import { Registry } from '../../src/store/registry.ts';
import { machine, seriesValue } from './fixture.ts';

const STAT =
  '42 (my (odd) name) S 1 42 42 0 -1 4194304 1 2 3 4 50 60 0 0 20 0 17 0 99 123456789 4000 184467 1 1\n';

test('threads, virtual memory and descriptors of the process', () => {
  const { collector, value } = machine({
    '/proc/self/stat': STAT,
    '/proc/self/fd/0': '',
    '/proc/self/fd/1': '',
  });
  collector.collect(1000);
  assert.equal(value('process.thread.count'), 17);
  assert.equal(value('process.memory.virtual'), 123456789);
  // A temporary folder has a size of its own, so only that there is a figure can be said.
  assert.ok(value('process.unix.file_descriptor.count')! > 0);
});

test('what is not Linux lacks what only Linux tells', () => {
  const { collector, value } = machine({});
  collector.collect(1000);
  for (const name of [
    'process.thread.count',
    'process.memory.virtual',
    'process.unix.file_descriptor.count',
  ] as const)
    assert.equal(value(name), undefined, name);
  assert.ok(value('process.memory.usage')! > 10_000_000);
  assert.ok(value('process.uptime')! > 0);
});

test('resident memory that nobody can tell is absent, and the rest is there', (t) => {
  t.mock.method(process.memoryUsage, 'rss', () => {
    throw new Error('EMFILE: too many open files, uv_resident_set_memory');
  });
  const { collector, value } = machine({ '/proc/self/stat': STAT });
  collector.collect(1000);
  assert.equal(value('process.memory.usage'), undefined);
  assert.equal(value('process.thread.count'), 17);
  assert.ok(value('process.uptime')! > 0);
});

test('utilization is CPU time over the capacity of the time between two readings', () => {
  const { collector, value } = machine({});
  const total = () => value('process.cpu.time', { 'cpu.mode': 'user' })!;
  const before = process.cpuUsage().user / 1e6;
  collector.collect(5000);
  assert.equal(value('process.cpu.utilization', { 'cpu.mode': 'user' }), undefined);
  const first = total();
  assert.ok(first >= before);
  while (process.cpuUsage().user / 1e6 < first + 0.02);
  collector.collect(7000);
  const expected = (total() - first) / (2 * availableParallelism());
  assert.equal(value('process.cpu.utilization', { 'cpu.mode': 'user' }), expected);
  assert.ok(expected > 0.009 / availableParallelism());
  collector.collect(7000);
  assert.equal(value('process.cpu.utilization', { 'cpu.mode': 'user' }), expected, 'no time has passed');
});

test('a worker thread reads the figures of the whole process', async () => {
  const collector = new URL('../../src/host/collector.ts', import.meta.url);
  const registry = new URL('../../src/store/registry.ts', import.meta.url);
  const code = `
    const { parentPort } = require('node:worker_threads');
    Promise.all([import('${collector}'), import('${registry}')]).then(([host, store]) => {
      const registry = new store.Registry(0, { maxSeriesPerMetric: 100 });
      host.createHostCollector({ registry }).collect(1000);
      const metric = [...registry.metrics()].find(({ name }) => name === 'process.cpu.time');
      parentPort.postMessage(metric.points.values().next().value.value);
    });`;
  const worker = new Worker(code, { eval: true });
  const before = process.cpuUsage().user / 1e6;
  const seen = await new Promise<number>((resolve, reject) =>
    worker.once('message', resolve).once('error', reject),
  );
  assert.ok(seen >= before, `${seen} s seen, ${before} s used before`);
});

test('every series has the attributes that the table gives it', async () => {
  const registry = new Registry(0, { maxSeriesPerMetric: 100 });
  const collector = createHostCollector({ registry });
  collector.collect(1000);
  collector.collect(2000);
  await collector.collectMachine();
  let count = 0;
  for (const { name, points } of registry.metrics()) {
    for (const point of points.values()) {
      assert.deepEqual(Object.keys(point.attributes), [...METRICS[name].attributes], name);
      assert.ok('value' in point && Number.isFinite(point.value), name);
      count++;
    }
  }
  assert.ok(count > 15, `${count} series`);
  if (process.platform === 'linux') {
    const always: MetricName[] = [
      'process.thread.count',
      'process.unix.file_descriptor.count',
      'process.memory.virtual',
    ];
    for (const name of always) assert.ok(seriesValue(registry, name)! > 0, name);
  }
});
