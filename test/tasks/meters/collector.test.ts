import assert from 'node:assert/strict';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import v8 from 'node:v8';
import type { Collection } from '../../../src/bridge/protocol.ts';
import { Collector } from '../../../src/tasks/meters/collector.ts';

const MB = 1024 * 1024;
const kept: unknown[] = [];

/** Numbers of this many bytes that stay on the heap. */
function keep(bytes: number): void {
  for (let left = bytes; left > 0; left -= 8192) kept.push(Array.from({ length: 1024 }, () => left + 0.5));
}

function collector(t: TestContext) {
  const told: Collection[] = [];
  const kinds: number[] = [];
  const collector = new Collector((collection) => told.push(collection));
  const observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries() as unknown as { detail: { kind: number } }[]) {
      kinds.push(detail.kind);
      if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) collector.ended();
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  t.after(() => {
    observer.disconnect();
    collector.stop();
  });
  let nowMs = 0;
  return {
    told,
    kinds,
    /** As beats of the thread do it, on a clock of its own that goes as fast as the real one. */
    async collect(forMs: number): Promise<void> {
      const before = told.length;
      for (let ms = 0; ms < forMs && told.length === before; ms += 20) {
        nowMs += 20;
        collector.natural(nowMs);
        await delay(20);
      }
    },
    exact: () => collector.exact(),
  };
}

test('a heap that has grown is marked while the thread goes on, and told of', async (t) => {
  const side = collector(t);
  keep(16 * MB);
  await side.collect(10_000);
  assert.equal(side.told.length, 1);
  const [{ exact, heapAfter, pauseMs, external }] = side.told as [Collection];
  assert.equal(exact, false);
  assert.ok(side.kinds.includes(constants.NODE_PERFORMANCE_GC_INCREMENTAL), side.kinds.join());
  assert.ok(heapAfter > 16 * MB && heapAfter <= v8.getHeapStatistics().used_heap_size, `${heapAfter}`);
  assert.ok(pauseMs > 0 && pauseMs < 10_000, `${pauseMs}`);
  assert.ok(external > 0);

  keep(8 * MB);
  await side.collect(10_000);
  const grown = side.told[1]!.heapAfter - heapAfter;
  assert.ok(Math.abs(grown - 8 * MB) < 2 * MB, `${grown}`);
});

test('a heap that does not grow is left alone, until it does', async (t) => {
  const side = collector(t);
  keep(16 * MB);
  await side.collect(10_000);
  assert.equal(side.told.length, 1);
  await side.collect(5000);
  assert.equal(side.told.length, 1);
  keep(8 * MB);
  await side.collect(10_000);
  assert.equal(side.told.length, 2);
});

test('a collection that V8 began by itself is told of only when one is wanted', async (t) => {
  const side = collector(t);
  for (let n = 0; n < 200 && !side.kinds.includes(constants.NODE_PERFORMANCE_GC_MAJOR); n++) {
    keep(4 * MB);
    await delay(5);
  }
  assert.ok(side.kinds.includes(constants.NODE_PERFORMANCE_GC_MAJOR));
  assert.deepEqual(side.told, []);
});

test('an exact one is done and told of at once', (t) => {
  const side = collector(t);
  keep(4 * MB);
  side.exact();
  assert.equal(side.told.length, 1);
  assert.ok(side.told[0]!.exact);
  assert.ok(side.told[0]!.heapAfter > 4 * MB && side.told[0]!.pauseMs > 0);
});

test('a heap too small to be marked in the background is collected at once', () => {
  const told: Collection[] = [];
  new Collector((collection) => told.push(collection), Number.POSITIVE_INFINITY).natural(0);
  assert.deepEqual(
    told.map(({ exact }) => exact),
    [true],
  );
});
