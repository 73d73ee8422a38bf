import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cell } from '../../../src/tasks/context.ts';
import { Allocation } from '../../../src/tasks/meters/allocation.ts';

const cell = (taskId: number): Cell => ({ slot: 0, taskId, cpuMs: 0, blockMs: 0, ended: false });

/** Keeps what was allocated last, so that it is allocated at all. */
let kept: unknown;
const allocate = (objects: number): void => {
  kept = Array.from({ length: objects }, (_, at) => ({ at, more: [at] }));
};

test('tasks that take turns get the shares of what they allocate, code outside of runs gets nothing', () => {
  const bytes = new Map<number, number>();
  const allocation = new Allocation((taskId, more) => bytes.set(taskId, (bytes.get(taskId) ?? 0) + more));
  const cells = [cell(0), cell(1), cell(-1)];
  const objects = [20, 180, 500];
  for (let i = 0; i < 24_000; i++) {
    const at = i % 3;
    allocate(objects[at]!);
    allocation.switched(cells[at]!, 0.01);
    if (i % 6000 === 0) allocation.check(100);
  }
  assert.ok(kept !== undefined);
  assert.deepEqual([...bytes.keys()].sort(), [0, 1]);
  const share = bytes.get(0)! / (bytes.get(0)! + bytes.get(1)!);
  assert.ok(Math.abs(share - 0.1) < 0.04, `share ${share}`);
});

test('an interrupted slice is not counted', () => {
  let told = 0;
  const allocation = new Allocation(() => told++);
  for (let i = 0; i < 200; i++) {
    allocation.switched(cell(0), 1);
    allocation.interrupt();
  }
  assert.equal(told, 0);
});
