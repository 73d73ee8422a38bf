import assert from 'node:assert/strict';
import { test } from 'node:test';
import { METRICS } from '../../src/model/metrics.ts';
import { resourceMetrics } from '../../src/otlp/encoder.ts';
import { jsonEncoder } from '../../src/otlp/json.ts';
import { MetricsReader, type MetricsSnapshot } from '../../src/otlp/metrics.ts';
import { protobufEncoder } from '../../src/otlp/protobuf.ts';
import { resourceOf } from '../../src/otlp/resource.ts';
import { observe, Registry } from '../../src/store/registry.ts';
import { type ReceivedPoint, readRequest } from '../helpers/otlp-items.ts';

const START = 1_700_000_000_000;
const RESOURCE = { 'service.name': 'worker', 'process.pid': 12, 'host.load': 0.5 };
const SCOPE = { name: 'taskwarden', version: '9' };

function registryAndReader() {
  const registry = new Registry(START, { maxSeriesPerMetric: 10 });
  return { registry, reader: new MetricsReader(registry) };
}

/** Through the wire and back, in both forms, which must say the same. */
function points(snapshot: MetricsSnapshot): ReceivedPoint[] {
  const metrics = resourceMetrics(snapshot, resourceOf(RESOURCE), SCOPE);
  const [binary, json] = [protobufEncoder, jsonEncoder].map((encoder) =>
    readRequest('metrics', encoder.metrics(snapshot, metrics, RESOURCE), encoder === jsonEncoder, 0),
  );
  assert.deepEqual(json, binary);
  return binary as ReceivedPoint[];
}

test('an infinite value arrives in both forms', () => {
  const { registry, reader } = registryAndReader();
  registry.set('process.uptime', {}, Number.POSITIVE_INFINITY);
  assert.deepEqual(
    points(reader.read(START + 1000)).map(({ value, valueType }) => [value, valueType]),
    [[Number.POSITIVE_INFINITY, 'double']],
  );
});

test('counters, up-down counters and gauges', () => {
  const { registry, reader } = registryAndReader();
  registry.add('task.runs', { 'task.name': 'a' }, 2);
  registry.add('task.active', {}, -1);
  registry.set('process.uptime', {}, 1.5);
  registry.add('task.cpu.time', {}, 0.25);
  registry.add('task.network.io', {}, 10.4);
  const seen = points(reader.read(START + 1000)).map(
    ({ name, kind, monotonic, temporality, value, valueType, unit }) => [
      name,
      kind,
      monotonic,
      temporality,
      value,
      valueType,
      unit,
    ],
  );
  assert.deepEqual(seen, [
    ['task.runs', 'sum', true, 2, 2, 'int', '{run}'],
    ['task.active', 'sum', false, 2, -1, 'int', '{run}'],
    ['process.uptime', 'gauge', false, 0, 1.5, 'double', 's'],
    ['task.cpu.time', 'sum', true, 2, 0.25, 'double', 's'],
    ['task.network.io', 'sum', true, 2, 10, 'int', 'By'],
  ]);
  const [run] = points(reader.read(START + 2000));
  assert.deepEqual(
    [run?.startTimeMs, run?.timeMs, run?.attributes],
    [START, START + 2000, { 'task.name': 'a' }],
  );
  assert.deepEqual(
    [run?.resource, run?.scope, run?.description],
    [RESOURCE, SCOPE, METRICS['task.runs'].description],
  );
});

test('histograms: counts of every bucket, sum and count, and a snapshot that later observations do not change', () => {
  const { registry, reader } = registryAndReader();
  const bounds = METRICS['messaging.process.duration'].buckets ?? [];
  const point = registry.histogram('messaging.process.duration', { 'task.name': 'a' });
  for (const seconds of [0.005, 0.004, 1000]) observe(point, bounds, seconds);
  const snapshot = reader.read(START + 1000);
  observe(point, bounds, 1);
  const [seen] = points(snapshot);
  assert.deepEqual(seen?.bounds, bounds);
  assert.deepEqual(seen?.bucketCounts, [2, ...Array(bounds.length - 1).fill(0), 1]);
  assert.deepEqual([seen?.count, seen?.value, seen?.temporality, seen?.unit], [3, 1000.009, 2, 's']);
});

test('an unknown value is left out, and a series that becomes unknown ends', () => {
  const { registry, reader } = registryAndReader();
  registry.set('task.memory.retained', { 'task.name': 'a' }, Number.NaN);
  assert.deepEqual(points(reader.read(START + 1)), []);
  registry.set('task.memory.retained', { 'task.name': 'a' }, 5);
  assert.equal(points(reader.read(START + 2))[0]?.value, 5);
  registry.set('task.memory.retained', { 'task.name': 'a' }, Number.NaN);
  assert.deepEqual(
    points(reader.read(START + 3)).map(({ flags }) => flags),
    [1],
  );
  assert.deepEqual(points(reader.read(START + 4)), []);
});

test('ALERTS has no unit, and a resolved alert ends once, at the time of the snapshot that lacks it', () => {
  const { reader } = registryAndReader();
  const alert = (state: string) => ({
    name: 'ALERTS',
    labels: { alertname: 'x', alertstate: state },
    value: 1,
  });
  reader.read(START + 1, [alert('pending')]);
  const [firing, pending] = points(reader.read(START + 2, [alert('firing')]));
  assert.deepEqual([firing?.unit, firing?.kind, firing?.value, firing?.flags], ['', 'gauge', 1, 0]);
  assert.deepEqual(pending?.attributes, { alertname: 'x', alertstate: 'pending' });
  assert.deepEqual(
    [pending?.flags, pending?.valueType, pending?.timeMs, pending?.kind],
    [1, 'none', START + 2, 'gauge'],
  );
  assert.deepEqual([pending?.resource, pending?.scope], [RESOURCE, SCOPE]);
  const resolved = points(reader.read(START + 3));
  assert.deepEqual(
    resolved.map(({ attributes, flags }) => [attributes.alertstate, flags]),
    [['firing', 1]],
  );
  assert.deepEqual(points(reader.read(START + 4)), []);
});

test('a removed sum ends as the sum it was', () => {
  const { registry, reader } = registryAndReader();
  registry.add('task.runs', { 'task.name': 'a' }, 1);
  registry.add('task.runs', { 'task.name': 'b' }, 1);
  reader.read(START + 1);
  registry.remove('task.runs', { 'task.name': 'a' });
  const [alive, ended] = points(reader.read(START + 2));
  assert.deepEqual([alive?.attributes, alive?.flags], [{ 'task.name': 'b' }, 0]);
  assert.deepEqual([ended?.attributes, ended?.flags, ended?.kind], [{ 'task.name': 'a' }, 1, 'sum']);
  assert.deepEqual([ended?.monotonic, ended?.temporality, ended?.startTimeMs], [true, 2, START]);
});

test('a counter that was not 0 at the start has no start time, to its end', () => {
  const { registry, reader } = registryAndReader();
  const attributes = { 'network.io.direction': 'receive' };
  registry.set('system.network.io', attributes, 1e12);
  registry.add('task.runs', {}, 1);
  const started = points(reader.read(START + 1000)).map(({ name, startTimeMs }) => [name, startTimeMs]);
  assert.deepEqual(started, [
    ['system.network.io', 0],
    ['task.runs', START],
  ]);
  registry.remove('system.network.io', attributes);
  const ended = points(reader.read(START + 2000)).find(({ flags }) => flags === 1);
  assert.deepEqual([ended?.name, ended?.startTimeMs], ['system.network.io', 0]);
});
