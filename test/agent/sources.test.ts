import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gaugeActive } from '../../src/agent/active.ts';
import { Ingest, taskKeyText } from '../../src/agent/ingest.ts';
import { type SourceHandlers, Sources } from '../../src/agent/sources.ts';
import { Watchdog } from '../../src/agent/watchdog.ts';
import type { RunRecord } from '../../src/bridge/inbox.ts';
import { F64, I32, STATE } from '../../src/bridge/protocol.ts';
import { monotonicMs } from '../../src/model/clock.ts';
import { bothEnds, countOf, type Ends, MAIL, metricValue, newRegistry, REPORT, taskValue } from './parts.ts';

function setup(more: Partial<SourceHandlers> = {}) {
  const registry = newRegistry();
  const ingest = new Ingest(registry);
  const runs: RunRecord[] = [];
  const main: boolean[] = [];
  const sources = new Sources(
    registry,
    {
      run(run) {
        runs.push(run);
        ingest.run(run);
      },
      task: (_, task) => ingest.task(task),
      span: () => {},
      collection: () => {},
      unreadable: (error) => {
        throw error;
      },
      ...more,
    },
    (inbox, isMain) => {
      main.push(isMain);
      const nobody = {
        inspect: () => undefined,
        cpuMs: () => undefined,
        ownCpuMs: () => undefined,
        isHeld: () => false,
        onBlocked: () => {},
        onFree: () => {},
      };
      return new Watchdog(inbox, { registry, marks: () => [1000], intervalMs: 50, ...nobody });
    },
  );
  const add = (): Ends => {
    const ends = bothEnds();
    sources.add({ buffer: ends.shared.buffer, clockOffset: monotonicMs() - performance.now() });
    return ends;
  };
  return { registry, ingest, runs, main, sources, add };
}

test('the first thread is the main thread, and what all of them did counts', () => {
  const { sources, add, main, runs } = setup();
  const [a, b] = [add(), add()];
  assert.deepEqual(main, [true, false]);
  a.finish(a.begin());
  b.finish(b.begin(REPORT), {}, REPORT);
  const slot = b.begin(MAIL, 'in flight');
  sources.drain();
  assert.deepEqual(
    runs.map(({ task }) => taskKeyText(task)),
    [taskKeyText(MAIL), taskKeyText(REPORT)],
  );
  assert.deepEqual(
    sources.active().map(({ jobId, slot }) => ({ jobId, slot })),
    [{ jobId: 'in flight', slot }],
  );
});

test('a task of several threads is one task', () => {
  const { sources, add, registry, ingest } = setup();
  const [a, b] = [add(), add()];
  a.begin(REPORT);
  for (const ends of [a, b]) {
    ends.begin(MAIL);
    ends.finish(ends.begin(MAIL));
  }
  sources.drain();
  gaugeActive(registry, sources.tasks(), sources.active());
  assert.equal(taskValue(registry, 'task.active'), 2);
  assert.equal(new Set(sources.tasks()).size, 2);
  assert.equal(ingest.completed.size, 2);
  assert.equal(ingest.completed.get(taskKeyText(MAIL)), 2);
});

test('a thread that ended is read to the end, then let go; the main thread stays', () => {
  const { sources, add, runs } = setup();
  const [a, b] = [add(), add()];
  b.begin(MAIL, 'never ends');
  b.finish(b.begin());
  for (const { shared } of [a, b]) Atomics.store(shared.i32, I32.state, STATE.closed);
  assert.deepEqual(sources.active(), [], 'nothing is in flight in a thread that ended');
  sources.drain();
  assert.equal(runs.length, 1);
  assert.equal(sources.all.length, 1);
  assert.equal(sources.all[0]?.inbox.shared.buffer, a.shared.buffer);
});

test('runs of two threads in slots of one number use what each of them uses', () => {
  const { sources, ingest, registry, add } = setup({ ended: (from) => ingest.ended(from.thread) });
  const [a, b, c] = [add(), add(), add()];
  const use = ({ outbox }: Ends, slot: number, cpuMs: number): void =>
    outbox.usage(slot, { cpuMs, requests: cpuMs, bytesIn: 0, bytesOut: 0 });
  const slots = [a, b, c].map((ends) => ends.begin());
  assert.equal(new Set(slots).size, 1);
  sources.drain();
  for (const ms of [1000, 2000, 3000]) {
    for (const [at, ends] of [a, b, c].entries()) use(ends, slots[at]!, ms + at);
    ingest.active(sources.active());
  }
  assert.equal(taskValue(registry, 'task.network.requests'), 9003);
  Atomics.store(c.shared.i32, I32.state, STATE.closed);
  a.finish(slots[0]!, { cpuMs: 4000, requests: 4000 });
  b.finish(slots[1]!, { cpuMs: 4001, requests: 4001 });
  sources.drain();
  ingest.active(sources.active());
  assert.equal(taskValue(registry, 'task.network.requests'), 4000 + 4001 + 3002);
  assert.equal(
    taskValue(registry, 'task.cpu.time', MAIL, { 'task.cpu.quality': 'exact' })?.toFixed(3),
    '11.003',
  );
});

test('a thread that ends has no run in flight any more', () => {
  const { sources, registry, add } = setup();
  add();
  const { begin, shared } = add();
  begin();
  sources.drain();
  gaugeActive(registry, sources.tasks(), sources.active());
  assert.equal(taskValue(registry, 'task.active'), 1);
  Atomics.store(shared.i32, I32.state, STATE.closed);
  sources.drain();
  gaugeActive(registry, sources.tasks(), sources.active());
  assert.equal(taskValue(registry, 'task.active'), 0);
  assert.equal(taskValue(registry, 'task.active.oldest'), 0);
});

test('all is quiet while no run is in flight and no heartbeat late', () => {
  const { sources, add } = setup();
  const { shared, begin, finish } = add();
  const beat = (agoMs: number): void => {
    shared.f64[F64.beatAt] = performance.now() - agoMs;
    shared.f64[F64.pauseMs] = 60_000;
  };
  beat(0);
  assert.equal(sources.isQuiet(50), true);
  const run = begin();
  assert.equal(sources.isQuiet(50), false);
  finish(run);
  beat(30_000);
  assert.equal(sources.isQuiet(50), true, 'the next is not due yet');
  beat(90_000);
  assert.equal(sources.isQuiet(50), false);
});

test('a thread that ends while it blocks is no longer suspected, and what it dropped counts', async () => {
  const { sources, add, registry } = setup();
  add();
  const { shared, begin } = add();
  shared.i32[I32.current] = begin();
  sources.drain();
  const { watchdog } = sources.all[1]!;
  shared.f64[F64.beatAt] = performance.now() - 2000;
  for (const ms of [50, 100, 150, 200]) await watchdog.check(ms);
  const blocked = (): number | undefined =>
    taskValue(registry, 'task.event_loop.blocked', MAIL, { 'task.suspicion': 'exclusive' });
  assert.ok(blocked()! >= 2);
  shared.i32[I32.droppedRing] = 3;
  Atomics.store(shared.i32, I32.state, STATE.closed);
  sources.drain();
  assert.equal(blocked(), 0);
  assert.equal(metricValue(registry, 'taskwarden.records.dropped', { reason: 'ring_full' }), 3);
});

test('what a former agent has read of a thread is taken over', () => {
  const former = bothEnds();
  former.finish(former.begin(REPORT), {}, REPORT);
  former.outbox.tally([[former.outbox.taskId('test', 'mail', 'send')!, 'socket', 2]]);
  former.inbox.drain({ run() {}, task() {}, span() {}, collection() {}, unreadable: assert.ifError });
  const open: unknown[] = [];
  const { sources, runs } = setup({ tally: (_, { task }, name, count) => open.push([task, name, count]) });
  const told = former.outbox.told();
  sources.add({ buffer: former.shared.buffer, clockOffset: monotonicMs() - performance.now(), told });
  former.finish(former.begin(REPORT), {}, REPORT);
  sources.drain();
  assert.deepEqual(open, [['send', 'socket', 2]]);
  assert.deepEqual(
    runs.map(({ task }) => task.task),
    ['monthly'],
  );
  assert.deepEqual([...sources.tasks()].map(({ task }) => task).sort(), ['monthly', 'send']);
});

test('an agent in the place of another begins where the threads are', () => {
  const { registry, sources } = setup();
  const [main, other] = [bothEnds(), bothEnds()];
  const offer = ({ shared }: Ends) =>
    sources.add({ buffer: shared.buffer, clockOffset: monotonicMs() - performance.now() }).vitals;
  const { i32, f64 } = main.shared;
  i32[I32.agentRestarts] = 2;
  other.shared.i32[I32.droppedRing] = 3;
  const counters = [I32.droppedRing, I32.errors, I32.gcCounts, I32.late] as const;
  const sums = [F64.activeMs, F64.gcSumMs, F64.lateSumMs, F64.lateSquaresMs] as const;
  for (const index of counters) i32[index] = 5;
  for (const index of sums) f64[index] = 5000;
  const vitals = [offer(main), offer(other)];
  const expect = (n: number): void => {
    for (const each of vitals) each.collect();
    assert.deepEqual(
      [
        metricValue(registry, 'taskwarden.records.dropped', { reason: 'ring_full' }),
        metricValue(registry, 'taskwarden.errors', { part: 'main' }),
        countOf(registry, 'v8js.gc.duration', { 'v8js.gc.type': 'minor' }),
        metricValue(registry, 'v8js.gc.duration', { 'v8js.gc.type': 'minor' }),
        metricValue(registry, 'nodejs.eventloop.time', { 'nodejs.eventloop.state': 'active' }),
        metricValue(registry, 'taskwarden.agent.restarts'),
      ],
      [n, n, n, n, n, 2],
    );
  };
  expect(0);
  assert.equal(metricValue(registry, 'nodejs.eventloop.delay.mean'), undefined, 'no beat since');
  for (const index of counters) i32[index]!++;
  for (const index of sums) f64[index]! += 1000;
  expect(1);
  assert.equal(metricValue(registry, 'nodejs.eventloop.delay.mean'), 1);
});
