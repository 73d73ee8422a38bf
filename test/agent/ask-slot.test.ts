import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askMainThread } from '../../src/agent/ask-slot.ts';
import { bothEnds } from './parts.ts';

test('the main thread cannot ask itself', async () => {
  assert.equal(await askMainThread(bothEnds().inbox), undefined);
});
