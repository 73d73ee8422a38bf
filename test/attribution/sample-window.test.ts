import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SampleWindow } from '../../src/attribution/sample-window.ts';

function add(window: SampleWindow, seconds: number, runs: Record<string, number>): void {
  window.add({
    level: 1000 + seconds,
    completedByTask: new Map(Object.entries(runs)),
    inFlight: seconds % 3,
    timeMs: seconds * 1000,
  });
}

test('columns count from the first of the newest samples; a task seen later had no runs before', () => {
  const window = new SampleWindow(32, 10);
  add(window, 5, { a: 100 });
  add(window, 6, { a: 110, still: 4 });
  add(window, 8, { a: 115, b: 2, still: 4 });
  const all = window.newest(Number.POSITIVE_INFINITY);
  assert.deepEqual([...all.tasks.get('a')!], [0, 10, 15]);
  assert.deepEqual([...all.tasks.get('b')!], [0, 0, 2]);
  assert.deepEqual([...all.tasks.get('still')!], [0, 4, 4]);
  assert.deepEqual([...all.time], [0, 1, 3]);
  assert.deepEqual([...all.heap], [1005, 1006, 1008]);
  assert.deepEqual([...all.inFlight], [0, -2, 0]);
  assert.equal(all.other, undefined);
  assert.deepEqual([...all.warmUp!], [0, 1 / 2, 2 / 3]);
  const newest = window.newest(2);
  assert.deepEqual([...newest.tasks.get('a')!], [0, 5]);
  assert.equal(newest.warmUp, undefined);
  assert.equal(newest.tasks.has('still'), false, 'a task that did not run explains nothing');
});

test('tasks beyond the cap count together', () => {
  const window = new SampleWindow(32, 2);
  add(window, 1, { a: 1, b: 1, c: 1, d: 1 });
  add(window, 2, { a: 2, b: 3, c: 5, d: 7 });
  const { tasks, other } = window.newest(2);
  assert.deepEqual([...tasks.keys()], ['a', 'b']);
  assert.deepEqual([...other!], [0, 10]);
});

test('a full window thins out its older half and keeps the newest and the oldest', () => {
  const window = new SampleWindow(32, 10);
  for (let seconds = 0; seconds < 1000; seconds++) add(window, seconds, { a: seconds });
  assert.ok(window.length <= 32 && window.length >= 24);
  const { time } = window.newest(Number.POSITIVE_INFINITY);
  assert.equal(time.at(-1), 999);
  assert.deepEqual([...window.newest(8).time], [0, 1, 2, 3, 4, 5, 6, 7]);
});

test('an empty window has empty columns', () => {
  const { length, heap, tasks } = new SampleWindow(32, 10).newest(5);
  assert.deepEqual([length, heap.length, tasks.size], [0, 0, 0]);
});
