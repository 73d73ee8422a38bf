import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SampleWindow } from '../../src/attribution/sample-window.ts';
import { findSuspects, type View, viewOf } from '../../src/attribution/suspects.ts';
import { leak, observations, type Task } from './synthetic.ts';

const LIMITS = { confidence: 4, minGrowth: 2e6 };
const SEEDS = [1, 2, 3, 4, 5, 6];

/** What is told of a leak of 10 KB per run, beside memory that goes to `plateau` in seconds; and what would be if no worker ever warmed up. */
function retained(seed: number, plateau: number): { told: number; plain: number } {
  const tasks = [2, 5, 10, 12, 20].map(
    (rate, i): Task => ({ name: `task${i}`, rate, ...(i === 3 && { retains: leak(10_000) }) }),
  );
  const background = (seconds: number): number => plateau * (1 - Math.exp(-seconds / 3));
  const window = new SampleWindow(128, 200);
  for (const observation of observations({ seed, tasks, samples: 24, white: 20e3, slow: 0, background }))
    window.add(observation);
  const view = viewOf(window.newest(Number.POSITIVE_INFINITY), LIMITS)!;
  const plain = { ...view, columns: { ...view.columns, warmUp: undefined } };
  return { told: onlySuspect(view), plain: onlySuspect(plain) };
}

function onlySuspect(view: View): number {
  const [suspect, ...others] = findSuspects(view, LIMITS);
  assert.equal(suspect?.task, 'task3');
  assert.deepEqual(others, []);
  return suspect.retained.value;
}

test('what a worker gains as it warms up is taken off what a task is told to leave behind', () => {
  const all = SEEDS.map((seed) => retained(seed, 300e3));
  for (const { told, plain } of all) assert.ok(told <= plain, `${told}, ${plain}`);
  const tooMuch = (how: 'told' | 'plain'): number => all.reduce((sum, each) => sum + each[how] - 10_000, 0);
  assert.ok(tooMuch('told') < tooMuch('plain') / 2, `${tooMuch('told')}, ${tooMuch('plain')}`);
});

test('memory that falls at first is no warm-up, and adds nothing to what is told of a task', () => {
  for (const seed of SEEDS) {
    const { told, plain } = retained(seed, -300e3);
    assert.equal(told, plain);
  }
});
