import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { MAX_FRAMES, MAX_TEXT } from '../../../src/agent/blocks/frames.ts';
import { MainThread } from '../../../src/agent/blocks/main-thread.ts';
import { SourceMaps } from '../../../src/agent/blocks/source-maps.ts';
import { type Look, lookAt, trimStack } from '../../../src/agent/blocks/stack.ts';
import { CURRENT, SLOT_COUNT } from '../../../src/bridge/protocol.ts';

const words = new Int32Array(new SharedArrayBuffer(16));
const globals = globalThis as { [key: symbol]: unknown };
const SLOT = Symbol.for('taskwarden.slot');
const worker = new Worker(new URL('../../fixtures/faults/asks.ts', import.meta.url), { workerData: words });
await once(worker, 'online');

after(async () => {
  await worker.terminate();
});

/** Has the other thread look while this one does nothing but run `busy`, again and again. */
async function look(busy: () => void): Promise<Look | 'no answer'> {
  const asked = Atomics.add(words, 0, 1) + 1;
  const answer = once(worker, 'message');
  Atomics.notify(words, 0);
  const end = performance.now() + 10_000;
  while (Atomics.load(words, 1) !== asked) {
    if (performance.now() > end) throw new Error('no answer within 10 s');
    busy();
  }
  return (await answer)[0] as Look | 'no answer';
}

async function slotOf(answer: unknown): Promise<number | undefined> {
  globals[SLOT] = answer;
  const found = await look(() => {});
  assert.notEqual(found, 'no answer');
  return (found as Look).slot;
}

test('a busy thread says whose code it runs and where it is, with its asynchronous callers', async () => {
  globals[SLOT] = () => 7;
  async function resizeImage(): Promise<Look | 'no answer'> {
    await null;
    return look(function scale() {});
  }
  async function handler(): Promise<Look | 'no answer'> {
    return await resizeImage();
  }
  const found = (await handler()) as Look;
  assert.equal(found.slot, 7);
  assert.ok(found.heap! > 1e6);
  assert.match(found.stack, /^at (scale|look|performance|now|Atomics)/m);
  assert.match(found.stack, /\nat resizeImage .*stack\.test\.ts:\d+:\d+\)\nat async handler /);
  assert.doesNotMatch(found.stack, /at <anonymous>:1/, 'not of the question itself');
});

test('an answer that is no slot is none, and the stack comes all the same', async () => {
  assert.equal(await slotOf(() => CURRENT.none), CURRENT.none);
  const throws = (): never => {
    throw new Error('thrown on purpose');
  };
  for (const wrong of [() => 'seven', () => SLOT_COUNT, () => -2, () => undefined, undefined, 7, throws])
    assert.equal(await slotOf(wrong), undefined);
});

test('microtasks without end are some run’s at every moment', async () => {
  const runs = new AsyncLocalStorage<number>();
  globals[SLOT] = () => runs.getStore() ?? -1;
  const slots: unknown[] = [];
  for (let i = 0; i < 100; i++) {
    const answer = once(worker, 'message');
    await runs.run(7, async () => {
      // What the runner of tests has yet to write, by microtasks of its own, is written first.
      for (let turn = 0; turn < 1000; turn++) await null;
      const asked = Atomics.add(words, 0, 1) + 1;
      Atomics.notify(words, 0);
      while (Atomics.load(words, 1) !== asked) await null;
    });
    slots.push(((await answer)[0] as Look).slot);
  }
  assert.deepEqual(
    slots,
    slots.map(() => 7),
  );
});

test("nothing of the host's runs, and what the host changed of Error is put back", async () => {
  const { stackTraceLimit } = Error;
  let called = 0;
  const own = (): string => {
    called++;
    return 'own';
  };
  Error.prepareStackTrace = own;
  Error.stackTraceLimit = 3;
  try {
    const found = (await look(() => {})) as Look;
    assert.match(found.stack, /stack\.test\.ts/);
    assert.equal(Error.prepareStackTrace, own);
    assert.equal(Error.stackTraceLimit, 3);
    assert.equal(called, 0);
  } finally {
    Reflect.deleteProperty(Error, 'prepareStackTrace');
    Error.stackTraceLimit = stackTraceLimit;
  }
  assert.equal(Object.hasOwn(Error, 'prepareStackTrace'), false);
});

test('native code does not answer, and nobody waits for it', async () => {
  words[2] = 300;
  assert.equal(await look(() => void execFileSync('sleep', ['1.5'])), 'no answer');
  words[2] = 0;
});

test('a session that was closed is opened again', async () => {
  words[3] = 1;
  for (let n = 0; n < 2; n++) assert.match(((await look(() => {})) as Look).stack, /stack\.test/);
});

test('the main thread cannot ask itself', async () => {
  const main = new MainThread({ allowed: true, warn: assert.fail });
  assert.equal(await lookAt(main, new SourceMaps(), 50), undefined);
});

test('a stack is bounded, and has no frames of ours', () => {
  const own = new URL('../../../src/tasks/run.ts', import.meta.url).href;
  const text = [
    'Error',
    '    at <anonymous>:7:13',
    '    at <anonymous>:15:3',
    '    at work (/app/a.js:1:1)',
    `    at Tasks.run (${own}:20:3)`,
    '    at async loop (file:///app/b.js:2:2)',
  ];
  assert.equal(trimStack(text.join('\n')), 'at work (/app/a.js:1:1)\nat async loop (file:///app/b.js:2:2)');
  const deep = ['Error', ...Array(500).fill('    at f (/app/a.js:1:1)')].join('\n');
  assert.equal(trimStack(deep).split('\n').length, MAX_FRAMES);
  const wide = ['Error', ...Array(50).fill(`    at ${'f'.repeat(1000)} (/app/a.js:1:1)`)].join('\n');
  assert.ok(trimStack(wide).length <= MAX_TEXT);
  assert.ok(
    trimStack(wide)
      .split('\n')
      .every((frame) => frame.endsWith(':1:1)')),
    'whole frames',
  );
  for (const odd of ['', 'Error', 'no stack', '\n\n']) assert.equal(trimStack(odd), '');
});
