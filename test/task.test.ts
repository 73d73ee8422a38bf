import assert from 'node:assert/strict';
import { test } from 'node:test';
import { task } from '../src/index.ts';

test('a task that cannot be one is refused where it is made', () => {
  const make = task as (...args: unknown[]) => unknown;
  const handler = (): void => {};
  const cases: [unknown[], RegExp][] = [
    [[undefined, handler], /name must be a text/],
    [['', handler], /name must be a text/],
    [['x'], /handler must be a function/],
    [['x', handler, { queue: 5 }], /options\.queue must be a text/],
    [['x', handler, { framework: null }], /options\.framework must be a text/],
    [['x', handler, { jobId: 'id' }], /options\.jobId must be a function/],
  ];
  for (const [args, message] of cases) assert.throws(() => make(...args), { name: 'TypeError', message });
});
