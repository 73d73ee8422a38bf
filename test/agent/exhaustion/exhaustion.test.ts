import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Exhaustion } from '../../../src/agent/exhaustion/exhaustion.ts';
import type { Group } from '../../../src/agent/exhaustion/kernel-memory.ts';
import { CURRENT, F64, I32 } from '../../../src/bridge/protocol.ts';
import { bothEnds, countOf, MAIL, metricValue, newRegistry, REPORT, taskValue } from '../parts.ts';

const MB = 1024 * 1024;
const STEP_MS = 50;

/** A worker with runs of two tasks in flight, whose memory the test sets. */
function setup({
  rssLimit = 0,
  group = undefined as Group | undefined,
  dataLimit = undefined as number | undefined,
} = {}) {
  const registry = newRegistry();
  const ends = bothEnds();
  const slots = { mail: ends.begin(MAIL), report: ends.begin(REPORT) };
  ends.drain();
  const { i32, f64 } = ends.shared;
  f64[F64.heapLimit] = 100 * MB;
  f64[F64.oldUsed] = 10 * MB;
  const world = {
    rss: 50 * MB,
    data: 0,
    group,
    asked: 0,
    marks: 0,
    answers: [] as ((slot: number) => void)[],
  };
  let now = 0;
  let beats = true;
  const exhaustion = new Exhaustion({
    inbox: ends.inbox,
    main: {
      post: <T>() => {
        world.asked++;
        return new Promise<T>((resolve) => {
          world.answers.push((slot) => resolve({ result: { value: slot } } as T));
        });
      },
    },
    kernel: {
      process: () => ({ rss: world.rss, data: world.data }),
      group: () => world.group,
      dataLimit: () => dataLimit,
    },
    registry,
    rssLimit,
    active: () => ends.inbox.active(),
    onMark: () => void world.marks++,
  });
  const run = (ms: number): void => {
    for (const until = now + ms; now < until; now += STEP_MS) {
      if (beats) Atomics.add(i32, I32.beat, 1);
      f64[F64.beatAt] = beats ? ends.inbox.now() : ends.inbox.now() - 10_000;
      exhaustion.check(now);
    }
  };
  return {
    registry,
    world,
    f64,
    i32,
    slots,
    run,
    /** The loop is blocked, by the run in a slot or by something that is not known. */
    block(slot: number | 'unknown' = 'unknown') {
      beats = false;
      i32[I32.current] = slot === 'unknown' ? CURRENT.unknown : slot;
    },
    /** The main thread has got round to the question. */
    async answer(used: number, slot = -1, external = 0) {
      f64[F64.oldUsed] = used;
      f64[F64.usedHeap] = used;
      f64[F64.external] = external;
      for (const give of world.answers.splice(0)) give(slot);
      await Promise.resolve();
      await Promise.resolve();
    },
    share: (limit: string) => metricValue(registry, 'taskwarden.memory.utilization', { limit }),
  };
}

describe('the old generation', () => {
  test('of a loop that is blocked is asked for, and told at once with who holds the thread', async () => {
    const { world, slots, run, block, answer, share, registry } = setup();
    run(6000);
    assert.equal(world.asked, 0, 'nothing is near');
    assert.equal(share('old_space'), 0.1);
    block(slots.report);
    world.rss += 45 * MB;
    run(100);
    assert.equal(world.asked, 1, 'one question at a time');
    await answer(60 * MB, slots.report);
    assert.equal(share('old_space'), 0.6);
    assert.equal(world.marks, 1);
    world.rss += 20 * MB;
    run(100);
    await answer(80 * MB, slots.report);
    assert.equal(share('old_space'), 0.8);
    assert.equal(world.marks, 2);
    assert.equal(metricValue(registry, 'taskwarden.memory.growth', { 'memory.kind': 'heap' }), 80 * MB);
    assert.equal(taskValue(registry, 'task.memory.suspicion', REPORT, { 'task.suspicion': 'exclusive' }), 1);
    assert.equal(taskValue(registry, 'task.memory.suspicion', MAIL), undefined);
  });

  test('where nobody keeps track of the holder, the thread says it itself', async () => {
    const { world, slots, run, block, answer, registry } = setup();
    run(6000);
    block();
    world.rss += 60 * MB;
    run(50);
    await answer(60 * MB, slots.mail);
    assert.equal(taskValue(registry, 'task.memory.suspicion', MAIL, { 'task.suspicion': 'exclusive' }), 1);
  });

  test('code outside of runs is nobody', async () => {
    const { world, run, block, answer, registry } = setup();
    run(6000);
    block(CURRENT.none);
    world.rss += 60 * MB;
    run(50);
    await answer(60 * MB);
    assert.equal(countOf(registry, 'task.memory.suspicion'), 0);
    assert.equal(metricValue(registry, 'taskwarden.memory.growth', { 'memory.kind': 'heap' }), 60 * MB);
  });

  test('of a loop that goes on is read, and asked for only when it grows fast', async () => {
    const { world, f64, run, share } = setup();
    f64[F64.oldUsed] = 40 * MB;
    run(6000);
    f64[F64.oldUsed] = 55 * MB;
    run(6000);
    assert.equal(share('old_space'), 0.4, 'half of it may be garbage');
    assert.equal(world.asked, 0);
    world.rss += 10 * MB;
    run(50);
    assert.equal(world.asked, 1);
  });

  test('what a full collection leaves counts', () => {
    const { f64, i32, run, share, world } = setup();
    run(6000);
    f64[F64.oldAfterMajor] = 72 * MB;
    f64[F64.oldUsed] = 72 * MB;
    i32[I32.gcCounts + 10 * 1 + 2]!++;
    run(6000);
    assert.equal(share('old_space'), 0.72);
    assert.equal(world.marks, 1);
  });
});

describe('the limits of the process', () => {
  test('resident memory is looked at more often when it grows fast, and marks are told at once', () => {
    const { world, run, share } = setup({ rssLimit: 200 * MB });
    run(50);
    assert.equal(share('rss'), 0.25);
    world.rss = 160 * MB;
    run(50);
    assert.equal(share('rss'), 0.8);
    assert.equal(world.marks, 1);
    assert.equal(share('cgroup'), undefined, 'there is no such limit');
  });

  test('a group counts what cannot be taken back; it may lose its limit', () => {
    const { world, run, share, registry } = setup({ group: { limit: 100 * MB, workingSet: 75 * MB } });
    run(50);
    assert.equal(share('cgroup'), 0.75);
    assert.equal(metricValue(registry, 'taskwarden.memory.limit', { limit: 'cgroup' }), 100 * MB);
    world.group = undefined;
    run(6000);
    assert.equal(share('cgroup'), undefined);
  });

  test('a limit that comes near fast is told of before its next mark', () => {
    const { world, run, registry } = setup({ rssLimit: 100 * MB });
    const left = () => metricValue(registry, 'taskwarden.memory.time_left', { limit: 'rss' });
    run(6000);
    assert.equal(left(), undefined, 'it does not grow');
    world.rss = 60 * MB;
    run(250);
    const before = world.marks;
    for (let step = 0; step < 6; step++) {
      world.rss += 3 * MB;
      run(STEP_MS);
    }
    assert.equal(left()?.toFixed(4), '0.3667', '22 MB at 60 MB/s');
    assert.equal(world.marks - before, 4, '65, 70 and 75 %, and the time at 78 %');
    run(6000);
    assert.equal(left(), undefined, 'it grows no more');
  });

  test('RLIMIT_DATA', () => {
    const { world, run, share } = setup({ dataLimit: 512 * MB });
    world.data = 256 * MB;
    run(50);
    assert.equal(share('data'), 0.5);
  });

  test('where no one task holds the thread, all that are in flight are suspected; when it is over nobody is', () => {
    const { world, run, registry } = setup({ rssLimit: 100 * MB });
    run(50);
    world.rss = 90 * MB;
    run(300);
    for (const task of [MAIL, REPORT])
      assert.equal(taskValue(registry, 'task.memory.suspicion', task, { 'task.suspicion': 'shared' }), 0.5);
    world.rss = 30 * MB;
    run(6000);
    assert.equal(countOf(registry, 'task.memory.suspicion'), 0);
    assert.equal(countOf(registry, 'taskwarden.memory.growth'), 0);
  });

  test('of a blocked loop near any limit array buffers are told apart', async () => {
    const { world, slots, run, block, answer, registry } = setup({ rssLimit: 100 * MB });
    run(50);
    block(slots.report);
    world.rss = 80 * MB;
    run(100);
    await answer(10 * MB, slots.report, 60 * MB);
    assert.equal(metricValue(registry, 'taskwarden.memory.growth', { 'memory.kind': 'external' }), 60 * MB);
  });
});
