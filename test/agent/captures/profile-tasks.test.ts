import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CpuProfile, tasksOf } from '../../../src/agent/captures/profile-tasks.ts';

const node = (id: number, functionName: string, url = '') => ({
  id,
  callFrame: { functionName, url, lineNumber: 4, columnNumber: 2 },
});
const place = (url: string, line: number, column: number): string => `${url}:${line}:${column}`;

test('samples fall to the task whose turn it was; idle time to nobody', () => {
  const profile: CpuProfile = {
    nodes: [node(1, '(idle)'), node(2, 'scale', '/app/a.ts'), node(3, ''), node(4, '(garbage collector)')],
    startTime: 1_000_000,
    endTime: 1_008_000,
    samples: [1, 2, 2, 3, 4, 2, 1],
    timeDeltas: [0, 1000, 1000, 1000, 1000, 1000, 1000],
  };
  const turns = [
    { atMs: 990, task: '(no task)' },
    { atMs: 1001, task: 'resize' },
    { atMs: 1004.5, task: 'mail' },
  ];
  assert.deepEqual(tasksOf(profile, turns, place), [
    {
      ...{ task: 'resize', samples: 4, share: 0.8 },
      top: [
        { at: 'scale /app/a.ts:5:3', samples: 2 },
        { at: '(anonymous)', samples: 1 },
        { at: '(garbage collector)', samples: 1 },
      ],
    },
    { task: 'mail', samples: 1, share: 0.2, top: [{ at: 'scale /app/a.ts:5:3', samples: 1 }] },
  ]);
});

test('without notes of turns it is nobody’s, and an idle profile has no tasks', () => {
  const one: CpuProfile = { nodes: [node(1, 'f')], startTime: 0, endTime: 1, samples: [1], timeDeltas: [0] };
  assert.deepEqual(
    tasksOf(one, [], place).map(({ task, share }) => [task, share]),
    [['(no task)', 1]],
  );
  assert.deepEqual(tasksOf({ nodes: [], startTime: 0, endTime: 1 }, [], place), []);
});
