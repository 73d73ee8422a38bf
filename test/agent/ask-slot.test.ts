import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { askMainThread } from '../../src/agent/ask-slot.ts';
import { CURRENT, SLOT_COUNT } from '../../src/bridge/protocol.ts';
import { bothEnds } from './parts.ts';

const UNDEFINED = -1000;
const words = new Int32Array(new SharedArrayBuffer(16));
const globals = globalThis as { [key: symbol]: unknown };
const SLOT = Symbol.for('taskwarden.slot');
const worker = new Worker(new URL('../fixtures/faults/asks.ts', import.meta.url), { workerData: words });
await once(worker, 'online');

after(async () => {
  await worker.terminate();
});

/** Has the other thread ask while this one does nothing but run `busy`, again and again. */
function ask(busy: () => void): number | undefined {
  const asked = Atomics.add(words, 0, 1) + 1;
  Atomics.notify(words, 0);
  const end = performance.now() + 10_000;
  while (Atomics.load(words, 1) !== asked) {
    if (performance.now() > end) throw new Error('no answer within 10 s');
    busy();
  }
  return words[2] === UNDEFINED ? undefined : words[2];
}

test('a busy thread is asked for the slot that its code belongs to', () => {
  globals[SLOT] = () => 7;
  assert.equal(
    ask(() => {}),
    7,
  );
  globals[SLOT] = () => CURRENT.none;
  assert.equal(
    ask(() => {}),
    CURRENT.none,
  );
});

test('an answer that is no slot is none', () => {
  for (const wrong of [() => 'seven', () => SLOT_COUNT, () => -2, () => undefined, undefined, 7]) {
    globals[SLOT] = wrong;
    assert.equal(
      ask(() => {}),
      undefined,
    );
  }
  globals[SLOT] = () => {
    throw new Error('thrown on purpose');
  };
  assert.equal(
    ask(() => {}),
    undefined,
  );
});

test('native code does not answer, and nobody waits for it', () => {
  globals[SLOT] = () => 7;
  words[3] = 300;
  assert.equal(
    ask(() => void execFileSync('sleep', ['1'])),
    undefined,
  );
});

test('the main thread cannot ask itself', async () => {
  assert.equal(await askMainThread(bothEnds().inbox), undefined);
});
