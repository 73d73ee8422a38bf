import assert from 'node:assert/strict';
import { test } from 'node:test';
import { taskKeyText } from '../../src/agent/ingest.ts';
import { Leaks } from '../../src/agent/leaks.ts';
import type { HeapObservation } from '../../src/attribution/sample-window.ts';
import type { TaskKey } from '../../src/bridge/protocol.ts';
import { leak, observations, type Task } from '../attribution/synthetic.ts';
import { countOf, metricValue, newRegistry, taskValue } from './parts.ts';

const NAMES = ['send', 'render', 'index', 'resize', 'sync', 'clean'];
const KEYS = new Map(
  [...NAMES, ...NAMES.map((name) => `${name}-twin`)].map((task): [string, TaskKey] => {
    const key = { framework: 'test', queue: 'all', task };
    return [taskKeyText(key), key];
  }),
);
const keyOf = (task: string): string => taskKeyText({ framework: 'test', queue: 'all', task });

/** Six tasks, one of which leaks, watched to the end. */
function watch(
  retains: Task['retains'],
  change: (seen: HeapObservation) => HeapObservation = (seen) => seen,
  cacheMib?: number,
) {
  const registry = newRegistry();
  const leaks = new Leaks('external', registry, cacheMib);
  const tasks = NAMES.map((name, i): Task => {
    return { name: keyOf(name), rate: 4 + 2 * i, ...(name === 'render' && retains && { retains }) };
  });
  for (const seen of observations({ seed: 3, tasks, samples: 160, white: 60e3, slow: 60e3 }))
    leaks.observe(change(seen), KEYS);
  return registry;
}

const stateOf = (registry: ReturnType<typeof newRegistry>, state: string) =>
  metricValue(registry, 'taskwarden.memory.leak.state', { 'memory.kind': 'external', 'leak.state': state });

test('a leak is told with its task, its kind and its state', () => {
  const registry = watch(leak(50_000));
  const labels = { 'memory.kind': 'external', 'leak.state': 'confirmed' };
  const bytes = taskValue(registry, 'task.memory.leak', KEYS.get(keyOf('render')), labels)!;
  assert.ok(Math.abs(bytes / 50_000 - 1) < 0.05, String(bytes));
  assert.equal(countOf(registry, 'task.memory.leak'), 1, 'the suspicion before it has no series any more');
  assert.deepEqual(
    ['none', 'suspected', 'confirmed', 'growth_unattributed'].map((state) => stateOf(registry, state)),
    [0, 0, 1, 0],
  );
});

test('a leak is suspected for as long as it has added no more than caches may fill', () => {
  const registry = watch(leak(50_000), undefined, 1000);
  assert.equal(countOf(registry, 'task.memory.leak', { 'leak.state': 'suspected' }), 1);
  assert.equal(stateOf(registry, 'suspected'), 1);
});

test('no leak is none, and nothing is said before there are enough samples', () => {
  const registry = watch(undefined);
  assert.equal(countOf(registry, 'task.memory.leak'), 0);
  assert.equal(stateOf(registry, 'none'), 1);
  const fresh = newRegistry();
  new Leaks('heap', fresh).observe({ level: 1e6, completedByTask: new Map(), inFlight: 0, timeMs: 0 }, KEYS);
  assert.equal(countOf(fresh, 'taskwarden.memory.leak.state'), 0);
});

test('growth with time alone is nobody', () => {
  const grows = (seen: HeapObservation) => {
    return { ...seen, level: seen.level + seen.timeMs * 300 };
  };
  const registry = watch(undefined, grows);
  assert.equal(countOf(registry, 'task.memory.leak'), 0);
  assert.equal(stateOf(registry, 'growth_unattributed'), 1);
});

test('tasks that cannot be told apart are named as a group', () => {
  const twins = (seen: HeapObservation) => {
    const completedByTask = new Map(seen.completedByTask);
    completedByTask.set(keyOf('render-twin'), seen.completedByTask.get(keyOf('render'))!);
    return { ...seen, completedByTask };
  };
  const registry = watch(leak(50_000), twins);
  assert.equal(countOf(registry, 'task.memory.leak', { 'leak.state': 'suspected' }), 1);
  const groups = ['render', 'render-twin'].filter((group) =>
    countOf(registry, 'task.memory.leak', { 'leak.group': group }),
  );
  assert.equal(groups.length, 1);
  assert.equal(stateOf(registry, 'suspected'), 1);
});
