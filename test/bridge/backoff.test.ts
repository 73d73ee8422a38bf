import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../../src/bridge/backoff.ts';

test('pauses double up to a minute, and begin anew after a quiet minute', () => {
  const backoff = new Backoff();
  const next = (count: number) => Array.from({ length: count }, () => backoff.next(100));
  assert.deepEqual(next(8), [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  assert.equal(backoff.next(59_999), 60_000);
  assert.equal(backoff.next(60_000), 1000);
  assert.deepEqual(next(2), [2000, 4000]);
});
