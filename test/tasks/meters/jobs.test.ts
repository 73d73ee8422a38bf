import assert from 'node:assert/strict';
import { test } from 'node:test';
import v8 from 'node:v8';
import vm from 'node:vm';
import { Duplicates } from '../../../src/tasks/meters/duplicates.ts';
import { meterGc } from '../../../src/tasks/meters/gc.ts';
import { JobSample } from '../../../src/tasks/meters/jobs.ts';
import { Tally } from '../../../src/tasks/tally.ts';
import { mainSide, runInfo } from '../../helpers/main-side.ts';

v8.setFlagsFromString('--expose-gc');
const gc = vm.runInNewContext('gc') as () => void;

function side() {
  const tally = new Tally();
  const { shared } = mainSide();
  const sample = new JobSample(shared, tally);
  const main = mainSide({ tasks: { jobs: { sample, duplicates: new Duplicates(), tally } } });
  const stop = meterGc(shared);
  return {
    main,
    stop,
    sample,
    run: (task: string, job: object, end?: Promise<void>) =>
      main.tasks.run(
        () => runInfo({ task, job, jobId: '' }),
        () => end ?? Promise.resolve(),
      ),
    /** Full collections, each of them told of. */
    async collect(times: number): Promise<void> {
      for (let i = 0; i < times; i++) {
        sample.check();
        gc();
        await new Promise((later) => setTimeout(later, 0));
        await new Promise(setImmediate);
      }
      sample.check();
    },
    counts(): Record<string, number> {
      tally.flush(main.outbox);
      main.drain();
      return Object.fromEntries(main.tallies);
    },
  };
}

test('job objects that are kept are found after three full collections, others are not', async () => {
  const { run, collect, counts, stop } = side();
  const kept: object[] = [];
  for (let i = 0; i < 60; i++) {
    const job = { id: i };
    kept.push(job);
    await run('keeps', job);
    await run('lets-go', { id: i });
  }
  await collect(2);
  assert.deepEqual(counts(), {}, 'too early to tell');
  await collect(2);
  stop();
  assert.deepEqual(counts(), {
    'keeps jobs_checked': 60,
    'keeps jobs_retained': 60,
    'lets-go jobs_checked': 60,
  });
  assert.equal(kept.length, 60);
});

test('the sample is bounded by task and in all, and has room again when it has been looked at', async () => {
  const { run, collect, counts, stop } = side();
  for (let i = 0; i < 300; i++) await run('busy', {});
  await run('rare', {});
  await collect(4);
  assert.deepEqual(counts(), { 'busy jobs_checked': 100, 'rare jobs_checked': 1 });
  for (let i = 0; i < 50; i++) await run('busy', {});
  await collect(4);
  stop();
  assert.equal(counts()['busy jobs_checked'], 150);
});

test('a run in flight keeps its job without blame', async () => {
  const { run, collect, counts, stop } = side();
  let end!: () => void;
  const job = {};
  const done = run(
    'long',
    job,
    new Promise((resolve) => {
      end = resolve;
    }),
  );
  await collect(5);
  assert.deepEqual(counts(), {});
  end();
  await done;
  await collect(4);
  stop();
  assert.deepEqual(counts(), { 'long jobs_checked': 1, 'long jobs_retained': 1 });
  assert.ok(job);
});
