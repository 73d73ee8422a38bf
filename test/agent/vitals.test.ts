import assert from 'node:assert/strict';
import { test } from 'node:test';
import v8 from 'node:v8';
import { Vitals } from '../../src/agent/vitals.ts';
import { startHeartbeat } from '../../src/bridge/heartbeat.ts';
import { F64, GC_KINDS, I32, lateBound, lateBucket } from '../../src/bridge/protocol.ts';
import { METRICS } from '../../src/model/metrics.ts';
import { bothEnds, countOf, metricValue, newRegistry } from './parts.ts';

const DROPPED = 'taskwarden.records.dropped';

function setup(isMain = true) {
  const registry = newRegistry();
  const ends = bothEnds();
  const { i32, f64 } = ends.shared;
  return { registry, i32, f64, ...ends, vitals: new Vitals(ends.inbox, registry, isMain) };
}

test('counters grow by what is new, also when their 32 bits overflow', () => {
  const { registry, i32, vitals } = setup();
  vitals.collect();
  assert.equal(metricValue(registry, DROPPED, { reason: 'ring_full' }), 0);
  i32[I32.droppedRing] = 0x7fffffff;
  vitals.collect();
  i32[I32.droppedRing]! += 5;
  vitals.collect();
  assert.equal(metricValue(registry, DROPPED, { reason: 'ring_full' }), 0x7fffffff + 5);
  i32[I32.droppedTable] = 3;
  i32[I32.droppedHandles] = 5;
  i32[I32.foldedRuns] = 4;
  i32[I32.errors] = 2;
  vitals.collect();
  vitals.collect();
  assert.equal(metricValue(registry, DROPPED, { reason: 'table_full' }), 3);
  assert.equal(metricValue(registry, DROPPED, { reason: 'handles_full' }), 5);
  assert.equal(metricValue(registry, 'taskwarden.tasks.folded'), 4);
  assert.equal(metricValue(registry, 'taskwarden.errors', { part: 'main' }), 2);
});

test('the heap and its spaces are those of the thread', () => {
  const t = setup();
  startHeartbeat({
    shared: t.shared,
    intervalMs: 1000,
    heapLimit: 1e9,
    onBeat: () => {},
    onRefresh: () => {},
    onError: () => {},
  }).stop();
  t.vitals.collect();
  const used = metricValue(t.registry, 'v8js.memory.heap.used')!;
  assert.ok(Math.abs(used - v8.getHeapStatistics().used_heap_size) < 8e6, String(used));
  assert.equal(metricValue(t.registry, 'taskwarden.worker.heap.limit'), 1e9);
  assert.equal(metricValue(t.registry, 'taskwarden.worker.heap.utilization'), used / 1e9);
  const spaces = v8.getHeapSpaceStatistics();
  assert.equal(countOf(t.registry, 'v8js.memory.heap.space.size'), spaces.length);
  const old = { 'v8js.heap.space.name': 'old_space' };
  const now = spaces.find(({ space_name }) => space_name === 'old_space')!;
  const near = (value: number, other: number): boolean => Math.abs(value - other) <= 8e6;
  assert.ok(near(metricValue(t.registry, 'v8js.memory.heap.space.size', old)!, now.space_size));
  assert.ok(
    near(metricValue(t.registry, 'v8js.memory.heap.space.available_size', old)!, now.space_available_size),
  );
  assert.ok(
    near(metricValue(t.registry, 'v8js.memory.heap.space.physical_size', old)!, now.physical_space_size),
  );
});

test('pauses of the garbage collector are a histogram by kind', () => {
  const { registry, i32, f64, vitals } = setup();
  const buckets = METRICS['v8js.gc.duration'].buckets!.length + 1;
  const major = GC_KINDS.indexOf('major');
  i32[I32.gcCounts + major * buckets + 1] = 2;
  f64[F64.gcSumMs + major] = 80;
  vitals.collect();
  i32[I32.gcCounts + major * buckets + 1]!++;
  f64[F64.gcSumMs + major] = 130;
  vitals.collect();
  assert.equal(metricValue(registry, 'v8js.gc.duration', { 'v8js.gc.type': 'major' }), 0.13);
  assert.equal(countOf(registry, 'v8js.gc.duration', { 'v8js.gc.type': 'major' }), 3);
  assert.equal(countOf(registry, 'v8js.gc.duration', { 'v8js.gc.type': 'minor' }), 0);
});

test('the delay of the loop is that since the last reading, and stays while the loop does not turn', () => {
  const { registry, i32, f64, vitals } = setup();
  const late = (ms: number): void => {
    i32[I32.late + lateBucket(ms)]!++;
    f64[F64.lateSumMs]! += ms;
    f64[F64.lateSquaresMs]! += ms * ms;
  };
  const seconds = (ms: number): number => lateBound(lateBucket(ms)) / 1000;
  for (let n = 0; n < 98; n++) late(1);
  late(50);
  late(200);
  vitals.collect();
  const delay = (which: 'min' | 'max' | 'mean' | 'stddev' | 'p50' | 'p90' | 'p99'): number =>
    metricValue(registry, `nodejs.eventloop.delay.${which}`)!;
  assert.equal(delay('min'), seconds(1));
  assert.equal(delay('max'), seconds(200));
  assert.equal(delay('p50'), seconds(1));
  assert.equal(delay('p90'), seconds(1));
  assert.equal(delay('p99'), seconds(50));
  assert.ok(Math.abs(delay('mean') - 0.00348) < 1e-9);
  const deviation = Math.sqrt((98 + 2500 + 40_000) / 100 - 3.48 ** 2) / 1000;
  assert.ok(Math.abs(delay('stddev') - deviation) < 1e-9);
  vitals.collect();
  assert.equal(delay('max'), seconds(200), 'no beat, no news');
  late(10);
  vitals.collect();
  for (const which of ['min', 'p50', 'max'] as const) assert.equal(delay(which), seconds(10));
  assert.ok(Math.abs(delay('mean') - 0.01) < 1e-9);
});

test('utilization of the loop is that since the last reading', () => {
  const { registry, f64, vitals } = setup();
  vitals.collect();
  assert.equal(metricValue(registry, 'nodejs.eventloop.utilization'), undefined, 'not known is not 0');
  f64[F64.activeMs] = 1000;
  f64[F64.idleMs] = 3000;
  vitals.collect();
  assert.equal(metricValue(registry, 'nodejs.eventloop.utilization'), 0.25);
  f64[F64.activeMs] = 2000;
  vitals.collect();
  assert.equal(metricValue(registry, 'nodejs.eventloop.utilization'), 1);
  assert.equal(metricValue(registry, 'nodejs.eventloop.time', { 'nodejs.eventloop.state': 'active' }), 2);
  assert.equal(metricValue(registry, 'nodejs.eventloop.time', { 'nodejs.eventloop.state': 'idle' }), 3);
});

test('a thread beside the main thread adds what it dropped, and no vital signs', () => {
  const { registry, i32, f64, vitals } = setup(false);
  i32[I32.droppedRing] = 7;
  f64[F64.usedHeap] = 5;
  f64[F64.unattributedMs] = 1500;
  vitals.collect();
  assert.equal(metricValue(registry, DROPPED, { reason: 'ring_full' }), 7);
  assert.equal(metricValue(registry, 'taskwarden.worker.cpu.unattributed', { kind: 'no_task' }), 1.5);
  assert.equal(countOf(registry, 'v8js.memory.heap.used'), 0);
});
