import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ingest } from '../../src/agent/ingest.ts';
import { Memory } from '../../src/agent/memory.ts';
import { type Collection, F64, I32 } from '../../src/bridge/protocol.ts';
import { bothEnds, countOf, MAIL, newRegistry, REPORT, record, taskValue } from './parts.ts';

const MB = 1024 * 1024;
/** Before this no collection is asked for. */
const WARM_UP_MS = 5000;

function collection(pauseMs: number, heapAfter: number, exact = false): Collection {
  return { exact, pauseMs, heapAfter, external: 0 };
}

function setup(budget = 0.01) {
  const registry = newRegistry();
  const ingest = new Ingest(registry);
  const ends = bothEnds();
  for (const task of [MAIL, REPORT]) ends.finish(ends.begin(task), {}, task);
  ends.drain();
  const memory = new Memory(ends.inbox, registry, ingest, { gcBudget: budget });
  const [mail, report] = ends.inbox.tasks;
  const { i32, f64 } = ends.shared;
  f64[F64.usedHeap] = 50 * MB;
  const asked = (): number => Atomics.load(i32, I32.gcAsked);
  const run = (mails: number, reports = 0): void => {
    for (let n = 0; n < mails; n++) ingest.run(record({ task: mail! }));
    for (let n = 0; n < reports; n++) ingest.run(record({ task: report! }));
  };
  return { registry, ingest, memory, i32, asked, run };
}

test('a collection is asked for after the warm-up, one at a time', () => {
  const { memory, i32, asked, run } = setup();
  run(100);
  memory.check(0);
  memory.check(WARM_UP_MS - 1);
  assert.equal(asked(), 0);
  memory.check(WARM_UP_MS);
  assert.equal(asked(), 1);
  memory.check(60_000);
  assert.equal(asked(), 1, 'the last has not been answered');
  Atomics.store(i32, I32.gcDone, 1);
  memory.collected(60_000, collection(10, 50 * MB), 100 * MB);
  memory.check(60_100);
  assert.equal(asked(), 1, 'the last has not been paid for');
  run(100);
  memory.check(60_000 + 10 / 0.01 + 30_000);
  assert.equal(asked(), 2);
});

test('a budget of 0 asks for none, and no runs give no reason', () => {
  const none = setup(0);
  none.run(100);
  for (const ms of [0, WARM_UP_MS, 1e6]) none.memory.check(ms);
  assert.equal(none.asked(), 0);
  const idle = setup();
  for (const ms of [0, WARM_UP_MS, 1e6]) idle.memory.check(ms);
  assert.equal(idle.asked(), 0);
});

test('a task that leaves memory behind gets an estimate, an innocent one beside it none; it ends with the leak', () => {
  const { registry, memory, i32, asked, run } = setup();
  let heap = 50 * MB;
  let nowMs = WARM_UP_MS;
  let exact = 0;
  const collect = (leakPerReport: number, round: number): void => {
    const reports = 20 + ((round * 7) % 13);
    run(50 + ((round * 11) % 29), reports);
    heap += reports * leakPerReport;
    const before = asked();
    for (; asked() === before; nowMs += 2000) memory.check(nowMs);
    exact += i32[I32.gcExact]!;
    Atomics.store(i32, I32.gcDone, asked());
    const heapAfter = heap + ((round * 37) % 11) * 1000;
    memory.collected(nowMs, collection(5, heapAfter, i32[I32.gcExact] === 1), 100 * MB);
  };
  for (let round = 0; round < 3; round++) collect(0, round);
  assert.equal(exact, 0, 'nothing grows');
  for (let round = 0; round < 40; round++) collect(50_000, round);
  assert.ok(exact > 30, `${exact}`);
  const retained = taskValue(registry, 'task.memory.retained', REPORT)!;
  const lower = taskValue(registry, 'task.memory.retained.lower', REPORT)!;
  assert.ok(Math.abs(retained / 50_000 - 1) < 0.1, String(retained));
  assert.ok(lower > 0 && lower <= retained);
  assert.equal(countOf(registry, 'task.memory.retained'), 1, 'nobody else is named');
  for (let round = 0; round < 400; round++) collect(0, round);
  assert.equal(countOf(registry, 'task.memory.retained'), 0);
  assert.equal(countOf(registry, 'task.memory.retained.lower'), 0);
  exact = 0;
  collect(0, 0);
  assert.equal(exact, 0, 'nothing grows any more');
});

test('a collection that V8 finds no reason for is made exact after a minute', () => {
  const { memory, i32, asked, run } = setup();
  run(100);
  memory.check(0);
  memory.check(WARM_UP_MS);
  memory.check(WARM_UP_MS + 59_000);
  assert.deepEqual([asked(), i32[I32.gcExact]], [1, 0]);
  memory.check(WARM_UP_MS + 60_000);
  assert.deepEqual([asked(), i32[I32.gcExact]], [1, 1]);
});
