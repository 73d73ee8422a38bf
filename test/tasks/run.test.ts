import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CURRENT, I32 } from '../../src/bridge/protocol.ts';
import { type Run, runStorage } from '../../src/tasks/context.ts';
import { Tally } from '../../src/tasks/tally.ts';
import { EXACT, mainSide, runInfo } from '../helpers/main-side.ts';
import { spin } from '../helpers/spin.ts';

test('a handler that returns, resolves, throws or rejects does so as before', async () => {
  const { tasks, drain } = mainSide();
  const error = new RangeError('no');
  assert.equal(
    tasks.run(runInfo, () => 7),
    7,
  );
  const promise = Promise.resolve('later');
  assert.equal(
    tasks.run(runInfo, () => promise),
    promise,
    'the very promise of the handler',
  );
  assert.equal(await promise, 'later');
  assert.throws(
    () =>
      tasks.run(runInfo, () => {
        throw error;
      }),
    (thrown) => thrown === error,
  );
  await assert.rejects(
    tasks.run(runInfo, () => Promise.reject(error)),
    (thrown) => thrown === error,
  );
  const runs = drain();
  assert.deepEqual(
    runs.map((run) => [run.failed, run.extra?.error?.type]),
    [
      [false, undefined],
      [false, undefined],
      [true, 'RangeError'],
      [true, 'RangeError'],
    ],
  );
});

test('whatever is thrown is passed on and named as far as it has a name', async () => {
  const { tasks, drain } = mainSide();
  const hostile = {
    toString() {
      throw new Error('not even a text');
    },
  };
  for (const thrown of [undefined, null, 'a text', 5, Symbol('s'), { message: 'like an error' }, hostile]) {
    await assert.rejects(
      () => tasks.run(runInfo, () => Promise.reject(thrown)),
      (error) => error === thrown,
    );
  }
  assert.deepEqual(new Set(drain().map((run) => run.extra?.error?.type)), new Set(['_OTHER']));
});

test("a foreign thenable's work is started once", async () => {
  const { tasks, drain } = mainSide();
  let started = 0;
  const query = {
    // biome-ignore lint/suspicious/noThenProperty: query builders are such objects
    then(resolve: (value: string) => void) {
      started++;
      setTimeout(resolve, 1, 'rows');
    },
  };
  assert.equal(await tasks.run(runInfo, () => query), 'rows');
  assert.equal(started, 1);
  assert.equal(drain().length, 1);
});

test('promises are what they were where the program has others for the global ones', async () => {
  const { tasks, drain } = mainSide();
  const native = globalThis.Promise;
  const error = new Error('no');
  class Other<T> extends native<T> {
    static override resolve<T>(value?: T): Promise<Awaited<T>> {
      return native.resolve(value) as Promise<Awaited<T>>;
    }
  }
  const results: unknown[] = [];
  const call = async (isDirect: boolean, handler: () => unknown): Promise<void> => {
    const result = tasks.run(() => runInfo({ isDirect }), handler);
    results.push(result instanceof native, await native.resolve(result).catch((thrown) => thrown));
  };
  globalThis.Promise = Other as PromiseConstructor;
  try {
    for (const isDirect of [false, true]) {
      await call(isDirect, async () => 1);
      await call(isDirect, async () => {
        throw error;
      });
    }
    // biome-ignore lint/suspicious/noThenProperty: A thenable is what this is about.
    await call(false, () => ({ then: (settle: (value: number) => void) => settle(2) }));
  } finally {
    globalThis.Promise = native;
  }
  assert.deepEqual(results, [true, 1, true, error, true, 1, true, error, true, 2]);
  assert.deepEqual(
    drain().map(({ failed }) => failed),
    [false, true, false, true, false],
  );
});

test('what the application calls itself gives what it gives, as long as nobody else does anything with it', async () => {
  const { tasks, drain } = mainSide();
  const direct = <T>(call: () => T): T => tasks.run(() => runInfo({ isDirect: true }), call);
  const error = new RangeError('no');
  assert.equal(await direct(async () => 5), 5);
  await assert.rejects(
    direct(() => Promise.reject(error)),
    (thrown) => thrown === error,
  );
  assert.deepEqual(
    drain().map(({ failed }) => failed),
    [false, true],
  );

  const child = Object.assign(Promise.resolve(1), { kill: () => true });
  assert.equal(
    direct(() => child),
    child,
    'a promise that has something of its own',
  );
  await child;
  let asked = 0;
  const query = {
    where: () => query,
    // biome-ignore lint/suspicious/noThenProperty: query builders are such objects
    then: () => void asked++,
  };
  assert.equal(
    direct(() => query),
    query,
  );
  class Lazy extends Promise<number> {
    // biome-ignore lint/suspicious/noThenProperty: so are promises that begin with their work when they are asked
    override then(...args: Parameters<Promise<number>['then']>): never {
      asked++;
      return super.then(...args) as never;
    }
  }
  const lazy = new Lazy(() => {});
  assert.equal(
    direct(() => lazy),
    lazy,
  );
  const strict = new Proxy(
    {},
    {
      get() {
        throw new Error('no such field');
      },
    },
  );
  assert.equal(
    direct(() => strict),
    strict,
  );
  assert.equal(asked, 0);
  assert.equal(drain().length, 6, 'each of them has ended');
});

test('an error that is hostile in every way is a failure all the same', async () => {
  const { tasks, drain, faults } = mainSide();
  const refuse = (): never => {
    throw new Error('no');
  };
  const hostile = [
    new Proxy({}, { get: refuse, getPrototypeOf: refuse }),
    Object.defineProperty(new Error('x'), 'name', { get: refuse }),
    Object.defineProperty(new Error('x'), 'message', { value: Symbol('y') }),
    Object.defineProperty(new Error('x'), 'name', { value: 42 }),
  ];
  for (const thrown of hostile) {
    const caught = await tasks.run(runInfo, () => Promise.reject(thrown)).catch((error: unknown) => [error]);
    assert.ok(caught[0] === thrown);
  }
  assert.deepEqual(faults, []);
  assert.deepEqual(
    drain().map(({ failed, extra }) => [failed, extra?.error?.type]),
    [
      [true, '_OTHER'],
      [true, '_OTHER'],
      [true, '_OTHER'],
      [true, '42'],
    ],
  );
});

test('what outlives a run keeps nothing of its job', async () => {
  const { tasks } = mainSide();
  const job = { id: 1 };
  let run: Run | undefined;
  await tasks.run(
    () => runInfo({ cancel: () => job.id > 0 }),
    async () => {
      run = runStorage.getStore();
      assert.equal(run?.abort(new Error('asked for')), true);
    },
  );
  assert.equal(run?.scope, undefined);
  assert.equal(run?.extra, undefined);
});

test('a run is in the table while it is in flight, and measured after it', async () => {
  const { tasks, inbox, drain } = mainSide();
  const done = tasks.run(
    () => runInfo({ jobId: 'j7', attempt: 2, waitMs: -5, payloadBytes: 11 }),
    () => sleep(20),
  );
  drain();
  assert.deepEqual(
    inbox.active().map(({ jobId, task }) => [jobId, task.task]),
    [['j7', 'send']],
  );
  await done;
  assert.equal(inbox.active().length, 0);
  const [run] = drain();
  assert.ok(run!.durationMs >= 19);
  assert.equal(run!.waitMs, 0, 'a negative wait is clock skew');
  assert.equal(run!.payloadBytes, 11);
  assert.equal(run!.attempt, 2);
  assert.ok(Math.abs(run!.startEpochMs - Date.now()) < 5000);
});

test('the current run is known through awaits, and nested runs shadow their parent', async () => {
  const { tasks } = mainSide();
  assert.equal(tasks.current(), undefined);
  await tasks.run(
    () => runInfo({ task: 'outer' }),
    async () => {
      await sleep(1);
      assert.equal(tasks.current()?.task, 'outer');
      await tasks.run(
        () => runInfo({ task: 'inner' }),
        async () => {
          await sleep(1);
          assert.equal(tasks.current()?.task, 'inner');
        },
      );
      assert.equal(tasks.current()?.task, 'outer');
    },
  );
  assert.equal(tasks.current(), undefined);
});

for (const part of ['describe', 'openScope', 'enter', 'end'] as const) {
  test(`a fault in ${part} is counted and does not reach the handler`, async () => {
    const fault = new Error('injected');
    const fail = (): never => {
      throw fault;
    };
    const { tasks, faults } = mainSide({
      tasks: {
        openScope:
          part === 'openScope'
            ? fail
            : () => ({
                trace: '',
                exportSpan: false,
                enter: part === 'enter' ? fail : (call) => call(),
                end: part === 'end' ? fail : () => undefined,
              }),
      },
    });
    let calls = 0;
    const result = await tasks.run(part === 'describe' ? fail : runInfo, async () => ++calls);
    assert.equal(result, 1);
    assert.equal(calls, 1);
    assert.deepEqual(faults, [['run', fault]]);
  });
}

test('a fault in the outbox does not reach the handler', async () => {
  const { tasks, faults, outbox } = mainSide();
  outbox.run = () => {
    throw new Error('injected');
  };
  assert.equal(await tasks.run(runInfo, async () => 5), 5);
  assert.equal(faults.length, 1);
});

test('exact metering: CPU of interleaved runs goes to each', {
  skip: EXACT ? false : 'needs Node.js 24',
}, async () => {
  const { tasks, cpu, drain } = mainSide();
  cpu.start();
  const work = async (ms: number): Promise<void> => {
    for (let i = 0; i < 10; i++) {
      await sleep(1);
      spin(ms);
    }
  };
  await Promise.all(
    [2, 6].map((ms) =>
      tasks.run(
        () => runInfo({ task: `spin-${ms}` }),
        () => work(ms),
      ),
    ),
  );
  cpu.stop();
  const runs = new Map(drain().map((run) => [run.task.task, run]));
  const share = runs.get('spin-6')!.cpuMs / (runs.get('spin-2')!.cpuMs + runs.get('spin-6')!.cpuMs);
  assert.ok(share > 0.6 && share < 0.9, `share ${share}, truth 0.75`);
  assert.equal(runs.get('spin-2')!.cpuQuality, 'exact');
  assert.ok(runs.get('spin-6')!.blockMs >= 6);
});

test('exact metering: the holder of the thread is known', {
  skip: EXACT ? false : 'needs Node.js 24',
}, async () => {
  const { tasks, cpu, inbox, drain } = mainSide();
  cpu.start();
  await tasks.run(
    () => runInfo({ jobId: 'holder' }),
    async () => {
      await sleep(1);
      drain();
      assert.equal(inbox.slot(inbox.current() as number)?.jobId, 'holder');
    },
  );
  await sleep(1);
  assert.equal(inbox.current(), undefined);
  cpu.stop();
});

test('exact metering pauses when it costs more than its budget, and comes back', {
  skip: EXACT ? false : 'needs Node.js 24',
}, async () => {
  const { tasks, cpu, shared, drain } = mainSide({ cpu: { mode: 'exact', budget: 1e-9 } });
  cpu.start();
  await tasks.run(runInfo, async () => {
    for (let i = 0; i < 100; i++) await null;
    cpu.check(1000, 1000);
  });
  assert.equal(drain()[0]!.cpuQuality, 'warming', 'the run saw both modes');
  assert.equal(shared.i32[I32.current], CURRENT.unknown);
  await tasks.run(runInfo, async () => spin(3));
  assert.equal(drain()[1]!.cpuQuality, 'sync_only');
  assert.ok(drain()[1]!.cpuMs >= 3);
  cpu.check(1000 + 31_000, 1000);
  await tasks.run(runInfo, async () => {});
  assert.equal(drain()[2]!.cpuQuality, 'exact');
  cpu.stop();
});

test('exact metering begins as soon as a first run shows that it can be afforded', {
  skip: EXACT ? false : 'needs Node.js 24',
}, async (t) => {
  const { tasks, cpu, shared, drain } = mainSide({ cpu: { budget: 0.02 } });
  t.after(() => cpu.stop());
  cpu.start();
  assert.equal(shared.i32[I32.current], CURRENT.unknown);
  cpu.check(performance.now() + 60_000, 60_000);
  assert.equal(shared.i32[I32.current], CURRENT.unknown, 'not before there is a run');
  await tasks.run(runInfo, async () => {
    await null;
    while (shared.i32[I32.current] === CURRENT.unknown) await sleep(5);
  });
  await tasks.run(runInfo, async () => spin(3));
  assert.deepEqual(
    drain().map((run) => run.cpuQuality),
    ['warming', 'exact'],
  );
});

test('exact metering that is stopped before its first look never begins', {
  skip: EXACT ? false : 'needs Node.js 24',
}, async (t) => {
  const { tasks, cpu, shared } = mainSide({ cpu: { budget: 0.02 } });
  t.after(() => cpu.stop());
  cpu.start();
  await tasks.run(runInfo, async () => {});
  cpu.stop();
  await sleep(60);
  assert.equal(shared.i32[I32.current], CURRENT.unknown);
});

test('runs that come too fast are sampled, and no promise hook is ever set for them', {
  skip: EXACT ? false : 'needs Node.js 24',
}, async (t) => {
  const tally = new Tally();
  const { tasks, cpu, shared, drain } = mainSide({ cpu: { budget: 0.001, tally } });
  t.after(() => cpu.stop());
  cpu.start();
  for (let second = 0; second < 3; second++) {
    for (let run = 0; run < 5000; run++) await tasks.run(runInfo, async () => {});
    drain();
    cpu.check(performance.now() + 1000 * (second + 1), 1000);
    assert.equal(shared.i32[I32.samplingAsked], 1);
    assert.equal(shared.i32[I32.current], CURRENT.unknown);
  }
  cpu.check(performance.now() + 5000, 1000);
  assert.equal(shared.i32[I32.samplingAsked], 0, 'a second without any');
  await tasks.run(runInfo, async () => {});
  assert.equal(drain().at(-1)!.cpuQuality, 'exact');
});

test('sync metering counts up to the first await', async () => {
  const { tasks, cpu, drain } = mainSide({ cpu: { mode: 'sync' } });
  cpu.start();
  await tasks.run(runInfo, async () => {
    spin(5);
    await sleep(1);
    spin(30);
  });
  const [run] = drain();
  assert.equal(run!.cpuQuality, 'sync_only');
  assert.ok(run!.cpuMs >= 5 && run!.cpuMs <= run!.durationMs - 30, `${run!.cpuMs} of ${run!.durationMs} ms`);
});

test('sync metering charges a run within a run once', () => {
  const { tasks, cpu, drain } = mainSide({ cpu: { mode: 'sync' } });
  cpu.start();
  const inner = (): unknown =>
    tasks.run(
      () => runInfo({ task: 'inner' }),
      () => spin(20),
    );
  tasks.run(
    () => runInfo({ task: 'outer' }),
    () => {
      inner();
      spin(2);
      inner();
    },
  );
  const of = (task: string): number =>
    drain()
      .filter((run) => run.task.task === task)
      .reduce((sum, { cpuMs }) => sum + cpuMs, 0);
  assert.ok(of('inner') >= 40);
  assert.ok(of('outer') >= 2 && of('outer') < 20, `${of('outer')} ms`);
});

test('metering switched off says so', async () => {
  const { tasks, cpu, drain } = mainSide({ cpu: { mode: 'off' } });
  cpu.start();
  await tasks.run(runInfo, async () => spin(2));
  assert.equal(drain()[0]!.cpuQuality, 'off');
  assert.equal(drain()[0]!.cpuMs, 0);
});

test('work that outlives its run is not charged to it', {
  skip: EXACT ? false : 'needs Node.js 24',
}, async () => {
  const { tasks, cpu, drain } = mainSide();
  cpu.start();
  let detached: Promise<void> | undefined;
  await tasks.run(runInfo, async () => {
    detached = sleep(5).then(() => void spin(30));
  });
  await detached;
  await tasks.run(
    () => runInfo({ task: 'next' }),
    async () => {},
  );
  cpu.stop();
  for (const run of drain()) assert.ok(run.cpuMs < 25, `${run.task.task}: ${run.cpuMs} ms`);
});
