import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVENTS } from '../../src/bridge/event-file.ts';
import { F64, GC_KINDS, I32, MAX_SPACES, SLOT, slotAt } from '../../src/bridge/protocol.ts';
import { METRICS } from '../../src/model/metrics.ts';

/** Words of 32 bits that a field of the header takes. */
const WORDS: Readonly<Record<string, number>> = {
  'i32 late': 64,
  'i32 gcCounts': GC_KINDS.length * ((METRICS['v8js.gc.duration'].buckets?.length ?? 0) + 1),
  'f64 gcSumMs': 2 * GC_KINDS.length,
  'f64 spaces': 2 * 3 * MAX_SPACES,
};

test('each word of the header belongs to one field, and all lie before the table', () => {
  const owners = new Map<number, string>();
  const claim = (name: string, from: number, usual: number): void => {
    for (let word = from; word < from + (WORDS[name] ?? usual); word++) {
      assert.equal(owners.get(word), undefined, `${name} lies over ${owners.get(word)}`);
      assert.ok(4 * word < slotAt(0), `${name} lies in the table`);
      owners.set(word, name);
    }
  };
  for (const [name, index] of Object.entries(I32)) claim(`i32 ${name}`, index, 1);
  for (const [name, index] of Object.entries(F64)) claim(`f64 ${name}`, 2 * index, 2);
});

test('a slot fits into its place in the file of events, and no place crosses a page', () => {
  assert.ok(SLOT.bytes <= EVENTS.stride);
  for (const stride of [EVENTS.stride, EVENTS.nameStride]) assert.equal(4096 % stride, 0);
  for (const at of [EVENTS.at, EVENTS.namesAt]) assert.equal(at % 4096, 0);
});
