import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { GrowthTrace, type MemoryByKind } from '../../../src/agent/exhaustion/growth-trace.ts';
import { KernelMemory } from '../../../src/agent/exhaustion/kernel-memory.ts';
import { LiveHeap } from '../../../src/agent/exhaustion/live-heap.ts';
import { Marks } from '../../../src/agent/exhaustion/marks.ts';
import { TimeLeft } from '../../../src/agent/exhaustion/time-left.ts';
import type { TaskKey } from '../../../src/bridge/protocol.ts';
import { MAIL, REPORT } from '../parts.ts';

describe('the live heap', () => {
  test('is what the last collection left, while there may be garbage', () => {
    const heap = new LiveHeap();
    heap.collected(50);
    heap.saw(74);
    assert.equal(heap.live(100), 50);
    assert.equal(heap.used, 74);
  });

  test('is all that is in use beyond what V8 lets stand without a collection', () => {
    const heap = new LiveHeap();
    heap.collected(10);
    heap.saw(54);
    assert.equal(heap.live(100), 10);
    heap.saw(70);
    assert.equal(heap.live(100), 70);
    heap.saw(5);
    assert.equal(heap.live(100), 5, 'a collection that nobody told of has freed it');
    heap.collected(60);
    assert.equal(heap.live(100), 60);
  });

  test('knows nothing before it has seen anything', () => {
    assert.equal(new LiveHeap().live(100), 0);
  });
});

describe('marks', () => {
  test('are multiples of 5 % from 50 % on, each told once', () => {
    const marks = new Marks();
    assert.deepEqual(
      [0.1, 0.499, 0.5, 0.51, 0.549, 0.55, 0.7, 0.74].map((share) => marks.passes('rss', share)),
      [false, false, true, false, false, true, true, false],
    );
    assert.equal(marks.passes('cgroup', 0.8), true, 'of each limit');
  });

  test('are told again only after a retreat of more than one', () => {
    const marks = new Marks();
    marks.passes('rss', 0.8);
    assert.deepEqual(
      [0.79, 0.81, 0.76, 0.8, 0.74, 0.75, 0.8].map((share) => marks.passes('rss', share)),
      [false, false, false, false, false, true, true],
    );
    marks.passes('rss', 0.1);
    assert.equal(marks.passes('rss', 0.5), true);
  });
});

describe('the time that is left', () => {
  test('goes on by what has grown since the last reading that is old enough', () => {
    const left = new TimeLeft();
    assert.equal(left.until(1000, 100, 0), undefined, 'one reading');
    assert.equal(left.until(1000, 200, 100), undefined, 'too soon');
    assert.equal(left.until(1000, 400, 200), 400);
    assert.equal(left.until(1000, 700, 300), 120, 'the older ones do not count');
    assert.equal(left.until(1000, 1200, 500), 0);
  });

  test('is not known where nothing grows, and begins anew when it does', () => {
    const left = new TimeLeft();
    for (const ms of [0, 5000]) assert.equal(left.until(1000, 500, ms), undefined);
    assert.equal(left.until(1000, 400, 10_000), undefined);
    assert.equal(left.until(1000, 500, 10_050), undefined, 'it is less than 5 s ago');
    assert.equal(left.until(1000, 600, 10_200), 600);
  });
});

describe('the trace of growth', () => {
  const memory = (heap: number, more: Partial<MemoryByKind> = {}): MemoryByKind => {
    return { heap, external: 0, other: 0, page_cache: 0, ...more };
  };
  const both = new Map<TaskKey, number>([
    [MAIL, 3],
    [REPORT, 1],
  ]);

  test('tells what has grown since the low of the last minute, by kind', () => {
    const trace = new GrowthTrace();
    trace.add(0, memory(10), both);
    trace.add(10_000, memory(100, { external: 50 }), both);
    trace.add(20_000, memory(40, { external: 10 }), both);
    trace.add(60_001, memory(90, { external: 5, page_cache: 7 }), both);
    assert.deepEqual(trace.growth(), { heap: 50, external: 0, other: 0, page_cache: 7 });
  });

  test('shares growth between the runs that were there', () => {
    const trace = new GrowthTrace();
    trace.add(0, memory(0), new Map());
    trace.add(1, memory(40), both);
    trace.add(2, memory(100), new Map([[REPORT, 1]]));
    assert.deepEqual(trace.suspects(), [
      { task: REPORT, share: 0.7, exclusive: false },
      { task: MAIL, share: 0.3, exclusive: false },
    ]);
  });

  test('suspects one task alone where no other was there for nine tenths of it; what shrinks counts for nobody', () => {
    const trace = new GrowthTrace();
    trace.add(0, memory(0), both);
    trace.add(1, memory(8), both);
    trace.add(2, memory(92), new Map([[REPORT, 1]]));
    trace.add(3, memory(80), new Map([[MAIL, 1]]));
    trace.add(4, memory(88), new Map([[REPORT, 1]]));
    const [first, second] = trace.suspects();
    assert.deepEqual([first?.task, first?.exclusive], [REPORT, true]);
    assert.deepEqual([second?.task, second?.exclusive], [MAIL, false]);
    assert.ok(Math.abs(first!.share + second!.share - 1) < 1e-9);
  });

  test('suspects nobody of nothing, and ten tasks at most', () => {
    const trace = new GrowthTrace();
    assert.deepEqual(trace.suspects(), []);
    assert.deepEqual(trace.growth(), memory(0));
    trace.add(0, memory(0), both);
    trace.add(1, memory(0), both);
    assert.deepEqual(trace.suspects(), []);
    const many = new Map(Array.from({ length: 30 }, (_, i) => [{ ...MAIL, task: `t${i}` }, i + 1] as const));
    trace.add(2, memory(100), many);
    const tasks = trace.suspects().map(({ task }) => task.task);
    assert.equal(tasks.length, 10);
    assert.equal(tasks[0], 't29');
  });

  test('holds a bounded number of readings', () => {
    const trace = new GrowthTrace();
    for (let i = 0; i < 5000; i++) trace.add(i, memory(i), both);
    assert.equal(trace.growth().heap, 255);
  });
});

describe('what the kernel says', () => {
  const folders: string[] = [];
  after(() => {
    for (const folder of folders) rmSync(folder, { recursive: true });
  });
  const rootWith = (files: Readonly<Record<string, string>>): string => {
    const root = `${mkdtempSync(join(tmpdir(), 'taskwarden-'))}/`;
    folders.push(root);
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return root;
  };

  test('of this process', () => {
    const { rss, data } = new KernelMemory().process()!;
    const known = process.memoryUsage.rss();
    assert.ok(Math.abs(rss / known - 1) < 0.2, `${rss} beside ${known}`);
    assert.ok(data > 10e6);
  });

  const LIMITS =
    'Limit  Soft Limit  Hard Limit  Units\nMax data size             536870912            unlimited            bytes\n';
  test('of a group with a limit, v2, and of RLIMIT_DATA', () => {
    const kernel = new KernelMemory(
      rootWith({
        'proc/self/cgroup': '0::/app\n',
        'proc/self/limits': LIMITS,
        'sys/fs/cgroup/cgroup.controllers': 'memory',
        'sys/fs/cgroup/app/memory.max': '1000000',
        'sys/fs/cgroup/app/memory.current': '900000',
        'sys/fs/cgroup/app/memory.stat': 'anon 1\ninactive_file 300000\n',
      }),
    );
    assert.deepEqual(kernel.group(), { limit: 1_000_000, workingSet: 600_000 });
    assert.equal(kernel.dataLimit(), 536_870_912);
    assert.equal(kernel.process(), undefined);
  });

  test('nothing where there is no limit, nor a /proc', () => {
    const unlimited = rootWith({
      'proc/self/cgroup': '0::/\n',
      'proc/self/limits': LIMITS.replace('536870912', 'unlimited'),
      'sys/fs/cgroup/cgroup.controllers': 'memory',
      'sys/fs/cgroup/memory.max': 'max',
      'sys/fs/cgroup/memory.current': '900000',
    });
    for (const root of [unlimited, rootWith({})]) {
      const kernel = new KernelMemory(root);
      assert.deepEqual(
        [kernel.group(), kernel.dataLimit(), kernel.process()],
        [undefined, undefined, undefined],
      );
    }
  });
});
