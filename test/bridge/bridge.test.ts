import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getHeapStatistics } from 'node:v8';
import { Inbox, type RunRecord } from '../../src/bridge/inbox.ts';
import { type FinishedRun, Outbox } from '../../src/bridge/outbox.ts';
import {
  CURRENT,
  createShared,
  I32,
  lateBound,
  lateBucket,
  RING_BYTES,
  SLOT_COUNT,
  type TaskKey,
} from '../../src/bridge/protocol.ts';
import { monotonicMs } from '../../src/model/clock.ts';
import { exposeGc } from '../../src/model/gc.ts';

function pair(maxTasks = 200) {
  const shared = createShared();
  const outbox = new Outbox(shared, maxTasks);
  const inbox = new Inbox(shared.buffer, monotonicMs() - performance.now());
  const runs: RunRecord[] = [];
  const tasks: TaskKey[] = [];
  const spans: unknown[] = [];
  const drain = (): void =>
    inbox.drain({
      run: (run) => runs.push(run),
      task: (_, task) => tasks.push(task),
      collection: () => {},
      unreadable: (error) => {
        throw error;
      },
      span: (span) => spans.push(span),
    });
  return { shared, outbox, inbox, runs, tasks, spans, drain };
}

function finished(over: Partial<FinishedRun> = {}): FinishedRun {
  return {
    slot: 3,
    generation: 5,
    taskId: 0,
    jobId: '42',
    attempt: 1,
    isRetry: false,
    failed: false,
    startEpochMs: 1_700_000_000_000.25,
    durationMs: 12.5,
    waitMs: 3,
    cpuMs: 4.5,
    cpuQuality: 'exact',
    cpuSampled: false,
    blockMs: 2,
    requests: 3,
    bytesIn: 1000,
    bytesOut: 200,
    payloadBytes: 17,
    trace: '0af7651916cd43dd8448eb211c80319cb7ad6b7169203331',
    exportSpan: true,
    extra: undefined,
    ...over,
  };
}

test('a run arrives as it was sent', () => {
  const { outbox, runs, tasks, drain } = pair();
  const taskId = outbox.taskId('bullmq', 'mail', 'send')!;
  outbox.run(finished({ taskId }));
  drain();
  assert.deepEqual(tasks, [{ framework: 'bullmq', queue: 'mail', task: 'send' }]);
  assert.deepEqual(runs, [
    {
      thread: 0,
      slot: 3,
      generation: 5,
      task: { framework: 'bullmq', queue: 'mail', task: 'send' },
      taskId,
      jobId: '42',
      attempt: 1,
      isRetry: false,
      failed: false,
      startEpochMs: 1_700_000_000_000.25,
      durationMs: 12.5,
      waitMs: 3,
      cpuMs: 4.5,
      cpuQuality: 'exact',
      cpuSampled: false,
      blockMs: 2,
      requests: 3,
      bytesIn: 1000,
      bytesOut: 200,
      payloadBytes: 17,
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      exportSpan: true,
      extra: undefined,
    },
  ]);
});

test('unknown figures, failures, other alphabets and extras survive the crossing', () => {
  const { outbox, runs, drain } = pair();
  const taskId = outbox.taskId('bullmq', 'почта', '发送')!;
  const extra = {
    error: { type: 'RangeError', message: 'zu groß', stack: 'at …' },
    attributes: { a: [1, 2] },
  };
  outbox.run(
    finished({
      taskId,
      jobId: 'ключ-✓',
      waitMs: Number.NaN,
      payloadBytes: Number.NaN,
      failed: true,
      trace: '',
      extra,
      attempt: 3,
    }),
  );
  drain();
  const [run] = runs;
  assert.equal(run?.task.queue, 'почта');
  assert.equal(run?.jobId, 'ключ-✓');
  assert.equal(run?.waitMs, undefined);
  assert.equal(run?.payloadBytes, undefined);
  assert.equal(run?.failed, true);
  assert.equal(run?.attempt, 3);
  assert.equal(run?.traceId, '');
  assert.deepEqual(run?.extra, extra);
});

test('a job id longer than its place is cut, an extra over its bound loses its largest part', () => {
  const { outbox, runs, drain } = pair();
  const taskId = outbox.taskId('bullmq', 'mail', 'send')!;
  const extra = { name: 'kept', attributes: { huge: 'x'.repeat(20_000) } };
  outbox.run(finished({ taskId, jobId: 'j'.repeat(500), extra }));
  drain();
  assert.match(runs[0]!.jobId, /^j{50,120}$/);
  assert.deepEqual(runs[0]!.extra, { truncated: true, name: 'kept' });
});

test('the ring wraps many times without losing or changing a record', () => {
  const { outbox, runs, drain, shared } = pair();
  const taskId = outbox.taskId('bullmq', 'mail', 'send')!;
  let sent = 0;
  for (let round = 0; round < 60; round++) {
    for (let i = 0; i < 700; i++) {
      outbox.run(finished({ taskId, jobId: `job-${'x'.repeat(sent % 40)}-${sent}`, requests: sent++ }));
    }
    drain();
  }
  assert.equal(runs.length, sent);
  for (const [at, run] of runs.entries()) {
    assert.equal(run.requests, at);
    assert.equal(run.jobId, `job-${'x'.repeat(at % 40)}-${at}`);
  }
  assert.equal(shared.i32[I32.droppedRing], 0);
  assert.ok(sent * 150 > 4 * RING_BYTES);
});

test('the position counters may pass 2^31', () => {
  const { outbox, runs, drain, shared } = pair();
  const taskId = outbox.taskId('bullmq', 'mail', 'send')!;
  drain();
  const start = 0x7fffffff - 2047;
  shared.i32[I32.ringHead] = start & ~7;
  shared.i32[I32.ringTail] = start & ~7;
  for (let i = 0; i < 100; i++) outbox.run(finished({ taskId, requests: i }));
  drain();
  assert.deepEqual(
    runs.map((run) => run.requests),
    Array.from({ length: 100 }, (_, i) => i),
  );
});

test('a full ring drops the newest records, counts them, and goes on when there is room', () => {
  const { outbox, runs, drain, shared } = pair();
  const taskId = outbox.taskId('bullmq', 'mail', 'send')!;
  for (let i = 0; i < 10_000; i++) outbox.run(finished({ taskId, requests: i }));
  const dropped = shared.i32[I32.droppedRing]!;
  assert.ok(dropped > 0);
  drain();
  assert.equal(runs.length, 10_000 - dropped);
  assert.equal(runs.at(-1)!.requests, runs.length - 1);
  outbox.run(finished({ taskId, requests: -1 }));
  drain();
  assert.equal(runs.at(-1)!.requests, -1);
});

test('a task that cannot be told to the agent is told later', () => {
  const { outbox, drain, tasks, inbox } = pair();
  const taskId = outbox.taskId('bullmq', 'mail', 'send')!;
  while (inbox.shared.i32[I32.droppedRing] === 0) outbox.run(finished({ taskId }));
  assert.equal(outbox.taskId('bullmq', 'mail', 'x'.repeat(200)), undefined);
  drain();
  assert.notEqual(outbox.taskId('bullmq', 'mail', 'x'.repeat(200)), undefined);
  drain();
  assert.equal(tasks.length, 2);
});

test('100,000 task names make a bounded number of tasks, and the folded runs are counted', () => {
  const { outbox, shared, drain, tasks } = pair(50);
  const ids = new Set<number>();
  for (let i = 0; i < 100_000; i++) ids.add(outbox.taskId('bullmq', `queue-${i % 3}`, `task-${i}`)!);
  drain();
  assert.equal(ids.size, 53);
  assert.equal(shared.i32[I32.foldedRuns], 100_000 - 50);
  assert.deepEqual(
    tasks
      .slice(50)
      .map(({ queue, task }) => `${queue}/${task}`)
      .sort(),
    ['queue-0/other', 'queue-1/other', 'queue-2/other'],
  );
});

test('100,000 queue names are bounded, too', () => {
  const { outbox } = pair(50);
  const ids = new Set<number>();
  for (let i = 0; i < 100_000; i++) ids.add(outbox.taskId('bullmq', `queue-${i}`, 'task')!);
  assert.ok(ids.size <= 101, `${ids.size} tasks`);
});

test('a collection arrives after the runs that ended before it', () => {
  const { outbox, inbox, tasks } = pair();
  const taskId = outbox.taskId('bullmq', 'mail', 'send')!;
  outbox.run(finished({ taskId }));
  const collection = { exact: true, pauseMs: 7.5, heapAfter: 12_345_678, external: 4096 };
  outbox.collection(collection);
  outbox.run(finished({ taskId }));
  const order: unknown[] = [];
  inbox.drain({
    run: () => order.push('run'),
    task: (_, task) => tasks.push(task),
    span: () => {},
    collection: (told) => order.push(told),
    unreadable: (error) => {
      throw error;
    },
  });
  assert.deepEqual(order, ['run', collection, 'run']);
});

test('runs in flight are seen with their age, and not after their end', () => {
  const { outbox, inbox, drain } = pair();
  const taskId = outbox.taskId('bullmq', 'mail', 'send')!;
  drain();
  const trace = '0af7651916cd43dd8448eb211c80319cb7ad6b7169203331';
  const first = outbox.open(taskId, 'a', 1, performance.now() - 500, trace);
  const second = outbox.open(taskId, 'b', 2, performance.now(), '');
  const active = inbox.active();
  assert.deepEqual(active.map(({ jobId, attempt, traceId }) => [jobId, attempt, traceId]).sort(), [
    ['a', 1, trace.slice(0, 32)],
    ['b', 2, ''],
  ]);
  assert.ok(active.find((run) => run.jobId === 'a')!.ageMs >= 500);
  outbox.close(first);
  assert.deepEqual(
    inbox.active().map((run) => run.jobId),
    ['b'],
  );
  outbox.close(second);
  assert.deepEqual(inbox.active(), []);
});

test('what a run has used so far is seen while it is in flight, and starts at 0', () => {
  const { outbox, inbox } = pair();
  const slot = outbox.open(0, 'a', 1, 0, '');
  outbox.usage(slot, { cpuMs: 12.5, requests: 7, bytesIn: 1e10, bytesOut: 3 });
  const { cpuMs, requests, bytesIn, bytesOut } = inbox.slot(slot)!;
  assert.deepEqual(
    { cpuMs, requests, bytesIn, bytesOut },
    { cpuMs: 12.5, requests: 7, bytesIn: 1e10, bytesOut: 3 },
  );
  outbox.close(slot);
  outbox.open(0, 'b', 1, 0, '');
  assert.equal(inbox.slot(slot)!.cpuMs, 0);
  assert.equal(inbox.slot(slot)!.requests, 0);
});

test('a slot that is used again has another generation', () => {
  const { outbox, inbox } = pair();
  const slot = outbox.open(0, 'a', 1, 0, '');
  const { generation } = inbox.slot(slot)!;
  outbox.close(slot);
  assert.equal(outbox.open(0, 'b', 1, 0, ''), slot);
  assert.notEqual(inbox.slot(slot)!.generation, generation);
});

test('a full table loses the run in flight but not the run', () => {
  const { outbox, inbox, shared } = pair();
  const slots = Array.from({ length: SLOT_COUNT }, (_, i) => outbox.open(0, String(i), 1, 0, ''));
  assert.equal(outbox.open(0, 'one too many', 1, 0, ''), -1);
  assert.equal(shared.i32[I32.droppedTable], 1);
  outbox.close(-1);
  for (const slot of slots) outbox.close(slot);
  assert.equal(inbox.active().length, 0);
  assert.notEqual(outbox.open(0, 'again', 1, 0, ''), -1);
});

test('the holder of the thread is a slot, nobody, or unknown', () => {
  const { inbox, shared } = pair();
  assert.equal(inbox.current(), 'unknown');
  shared.i32[I32.current] = CURRENT.none;
  assert.equal(inbox.current(), undefined);
  shared.i32[I32.current] = 7;
  assert.equal(inbox.current(), 7);
});

test('lateness buckets cover 0.1 ms to minutes within 26 %', () => {
  for (const ms of [0.05, 0.1, 0.5, 1, 49, 50, 1000, 60_000]) {
    const bound = lateBound(lateBucket(ms));
    assert.ok(bound >= ms * 0.999 && bound <= Math.max(0.1, ms * 1.26), `${ms} ms falls under ${bound}`);
  }
  assert.equal(lateBucket(1e12), 63);
});

test('of the string that a name is a part of nothing is kept', () => {
  const { outbox } = pair();
  const gc = exposeGc();
  const used = (): number => {
    gc({ type: 'major' });
    return getHeapStatistics().used_heap_size;
  };
  const before = used();
  for (let i = 0; i < 50; i++) {
    const text = `${i}: ${'x'.repeat(1e6)}`;
    // Reading a character has V8 write the parts of the string in one.
    assert.equal(text[1e6], 'x');
    outbox.taskId('bullmq', text.slice(0, 100), text);
  }
  assert.ok(used() - before < 5e6);
});

test('names are cut, and a task is told once by whatever is left', () => {
  const { outbox, drain, tasks } = pair();
  const long = 'n'.repeat(20_000);
  const id = outbox.taskId(long, long, long);
  assert.equal(outbox.taskId(long, long, `${long}x`), id);
  drain();
  const cut = 'n'.repeat(255);
  assert.deepEqual(tasks, [{ framework: cut, queue: cut, task: cut }]);
});

test('an id that is longer than the ring is cut, too', () => {
  const { outbox, drain, runs, shared } = pair();
  outbox.run(finished({ jobId: 'i'.repeat(RING_BYTES) }));
  drain();
  assert.equal(shared.i32[I32.droppedRing], 0);
  assert.equal(runs[0]?.jobId, 'i'.repeat(112));
});
