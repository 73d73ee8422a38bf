import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readRecording, watch } from '../../bench/attribution/leak-recording.ts';
import type { LeakKind } from '../../src/attribution/leak-limits.ts';

/** Of real workers of ten task types: `node --expose-gc bench/workers/leak.ts SCENARIO SEED SECONDS`, its first samples. */
function told(name: string, kind: LeakKind) {
  const path = new URL(`../fixtures/leaks/${name}.jsonl`, import.meta.url);
  return watch(readRecording(readFileSync(path, 'utf8')), kind);
}

test('10 KB a run, of heap and of buffers, are found within 40 samples, and nobody else', () => {
  for (const [name, kind] of [
    ['leak', 'heap'],
    ['buffers', 'external'],
  ] as const) {
    const { named, confirmed, last } = told(name, kind);
    assert.deepEqual([...named.keys()], ['leaking'], name);
    assert.ok(named.get('leaking')! <= 40, name);
    assert.ok(Math.abs(last.get('leaking')! / 10_000 - 1) < 0.1, name);
    assert.equal(confirmed.size, 0, 'no more than a cache has been added yet');
  }
});

test('a cache that fills to 20 MB is suspected until it is full, and never confirmed', () => {
  const { named, confirmed, last } = told('cache', 'heap');
  assert.deepEqual([...named.keys()], ['caching']);
  assert.deepEqual([[...confirmed], [...last]], [[], []]);
});

test('a cache of random keys is not confirmed at 32 MB of 60 either, as it has become slower', () => {
  const { named, confirmed } = told('random-keys', 'heap');
  assert.deepEqual([...named.keys()], ['caching']);
  assert.equal(confirmed.size, 0);
});
