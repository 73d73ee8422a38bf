import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Control, controlOf } from '../../src/tasks/enforcement.ts';
import { type WorkerControls, Workers } from '../../src/tasks/workers.ts';
import { mainSide, runInfo } from '../helpers/main-side.ts';

const LATER = Number.POSITIVE_INFINITY;

function setup(exit: (code: number) => void = () => {}) {
  const side = mainSide({ tasks: { guard: true } });
  const workers = new Workers();
  const control: Control = controlOf({
    runIn: (slot) => side.tasks.runIn(slot),
    inFlight: () => side.tasks.inFlight,
    workers,
    unchecked: false,
    unhook: () => {},
    exit,
  });
  return { ...side, workers, control };
}

test('a signal is aborted with the reason, and only that of the run that is meant', async () => {
  const { tasks, control } = setup();
  let id = { slot: -1, generation: -1, jobId: '' };
  const run = tasks.run(
    () => runInfo({ jobId: '7' }),
    async () => {
      const { signal } = tasks.current()!;
      const at = tasks.runIn(0)!;
      id = { slot: at.slot, generation: at.generation, jobId: at.jobId };
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
  );
  assert.equal(await control.abort({ ...id, generation: id.generation + 2 }, LATER, 'no'), 'gone');
  assert.equal(await control.abort({ ...id, jobId: '8' }, LATER, 'no'), 'gone');
  assert.equal(await control.abort(id, 0, 'no'), 'late');
  assert.equal(await control.abort(id, LATER, 'enough'), 'done');
  await assert.rejects(run, /^Error: enough$/);
  assert.equal(await control.abort(id, LATER, 'enough'), 'gone');
});

test('a handler that asks for its signal later sees it aborted', async () => {
  const { tasks, control } = setup();
  let go = (): void => {};
  const run = tasks.run(
    () => runInfo({ jobId: '7' }),
    async () => {
      await new Promise<void>((done) => {
        go = done;
      });
      return tasks.current()?.signal.aborted;
    },
  );
  const { slot, generation, jobId } = tasks.runIn(0)!;
  assert.equal(await control.abort({ slot, generation, jobId }, LATER, 'enough'), 'unheard');
  go();
  assert.equal(await run, true);
});

test('the library is asked to abort its own signal', async () => {
  const { tasks, control } = setup();
  const reasons: Error[] = [];
  const cancel = (reason: Error): boolean => reasons.push(reason) > 0;
  void tasks.run(
    () => runInfo({ jobId: '7', cancel }),
    () => new Promise(() => {}),
  );
  const { slot, generation, jobId } = tasks.runIn(0)!;
  assert.equal(await control.abort({ slot, generation, jobId }, LATER, 'enough'), 'done');
  assert.deepEqual(
    reasons.map(({ message }) => message),
    ['enough'],
  );
});

test('nothing is ended but the run whose code is running, and that only where somebody learns of it', async () => {
  const { tasks, control } = setup();
  void tasks.run(
    () => runInfo({ jobId: '7' }),
    () => new Promise(() => {}),
  );
  const { slot, generation, jobId } = tasks.runIn(0)!;
  const id = { slot, generation, jobId };
  assert.equal(control.terminate(id, LATER, 'x'), 'elsewhere');
  assert.equal(control.terminate({ ...id, generation: generation + 2 }, LATER, 'x'), 'gone');
  const inside = tasks.run(
    () => runInfo({ jobId: '8' }),
    () => {
      const at = tasks.runIn(1)!;
      return control.terminate({ slot: 1, generation: at.generation, jobId: '8' }, LATER, 'x');
    },
  );
  assert.equal(inside, 'unguarded');
});

test('a guarded handler gives and throws what it would, and its run can be failed before', async () => {
  const { tasks, drain } = setup();
  const guarded = <T>(call: () => T) => tasks.run(() => runInfo({ isReplaceable: true }), call);
  assert.equal(await guarded(async () => 5), 5);
  assert.equal(await guarded(() => 6), 6);
  await assert.rejects(
    guarded(async () => {
      throw new RangeError('a');
    }),
    RangeError,
  );
  await assert.rejects(
    guarded((): Promise<never> => {
      throw new RangeError('b');
    }) as Promise<never>,
    RangeError,
  );
  const never = guarded(() => new Promise(() => {}));
  tasks.runIn(0)!.reject!(new Error('ended'));
  await assert.rejects(never, /^Error: ended$/);
  assert.deepEqual(
    drain().map(({ failed }) => failed),
    [false, false, true, true, true],
  );
});

interface Fake {
  paused: boolean;
  closed: boolean;
}
const CONTROLS: WorkerControls<Fake> = {
  isPaused: ({ paused }) => paused,
  pause: (worker) => {
    worker.paused = true;
  },
  resume: (worker) => {
    worker.paused = false;
  },
  close: async (worker) => {
    worker.closed = true;
  },
};

test('a queue stays paused until the last alert that wants it ends, and what others paused stays so', async () => {
  const { control, workers } = setup();
  const [mine, theirs, other] = [0, 1, 2].map((n): Fake => ({ paused: n === 1, closed: false })) as [
    Fake,
    Fake,
    Fake,
  ];
  workers.add('bullmq', 'mail', mine, CONTROLS);
  workers.add('bullmq', 'mail', theirs, CONTROLS);
  workers.add('bullmq', 'other', other, CONTROLS);
  assert.deepEqual(await control.pause('bullmq', 'mail', 'a'), { known: 2, paused: 1 });
  assert.deepEqual(await control.pause('bullmq', 'mail', 'b'), { known: 2, paused: 0 });
  assert.deepEqual(await control.pause('bullmq', 'none', 'c'), { known: 0, paused: 0 });
  assert.equal(await control.resume('a'), 0);
  assert.deepEqual([mine.paused, theirs.paused, other.paused], [true, true, false]);
  assert.equal(await control.resume('b'), 1);
  assert.deepEqual([mine.paused, theirs.paused], [false, true]);
});

test('draining closes the workers, waits for the runs in flight, and ends the process', async () => {
  let go = (): void => {};
  const ended = new Promise<number>((done) => {
    const { control, workers, tasks } = setup((code) => done(code));
    const worker: Fake = { paused: false, closed: false };
    workers.add('bullmq', 'mail', worker, CONTROLS);
    void tasks.run(
      () => runInfo(),
      () => new Promise<void>((end) => (go = end)),
    );
    control.drain(60_000);
  });
  setImmediate(() => go());
  assert.equal(await ended, 75);
});
