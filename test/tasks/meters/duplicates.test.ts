import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunInfo } from '../../../src/tasks/context.ts';
import { Duplicates } from '../../../src/tasks/meters/duplicates.ts';
import { JobSample } from '../../../src/tasks/meters/jobs.ts';
import { Tally } from '../../../src/tasks/tally.ts';
import { mainSide, runInfo } from '../../helpers/main-side.ts';

function side() {
  const tally = new Tally();
  const duplicates = new Duplicates();
  const main: ReturnType<typeof mainSide> = mainSide({
    tasks: { jobs: { sample: new JobSample(mainSide().shared, tally), duplicates, tally } },
  });
  return {
    main,
    run: <T>(info: Partial<RunInfo>, call: () => T): T => main.tasks.run(() => runInfo(info), call),
    counts(): Record<string, number> {
      tally.flush(main.outbox);
      main.drain();
      return Object.fromEntries(main.tallies);
    },
  };
}

test('a job that runs while it runs already is concurrent', async () => {
  const { run, counts, main } = side();
  let end!: () => void;
  const first = run({ jobId: '7' }, () => new Promise<void>((done) => (end = done)));
  run({ jobId: '8' }, () => {});
  run({ jobId: '7' }, () => assert.equal(main.tasks.current()!.duplicate, 'concurrent'));
  end();
  await first;
  assert.deepEqual(counts(), { 'send concurrent': 1 });
  assert.deepEqual(
    main.runs.map(({ jobId, extra }) => [jobId, extra?.duplicate]),
    [
      ['8', undefined],
      ['7', 'concurrent'],
      ['7', undefined],
    ],
  );
});

test('a job that runs again after its success is repeated, one that failed or was moved is not', async () => {
  const { run, counts } = side();
  const attempt = (jobId: string, n: number, call: () => void): void => {
    try {
      run({ jobId, attempt: n, isFailure: (error) => error !== 'moved' }, call);
    } catch {}
  };
  attempt('fails', 1, () => {
    throw new Error('no');
  });
  attempt('fails', 2, () => {});
  attempt('moves', 1, () => {
    throw 'moved';
  });
  attempt('moves', 2, () => {});
  assert.deepEqual(counts(), {});
  attempt('fails', 3, () => {});
  attempt('moves', 1, () => {});
  attempt('moves', 1, () => {});
  assert.deepEqual(counts(), { 'send repeated': 3 });
});

test('jobs of other queues, of another Redis, or made anew under an old id are others', () => {
  const { run, counts } = side();
  const jobs: Partial<RunInfo>[] = [
    {},
    { queue: 'other' },
    { jobScope: 1 },
    { jobScope: 2 },
    { enqueuedMs: 1_764_000_000_000 },
    { enqueuedMs: 1_764_000_000_001 },
    { jobScope: 1, enqueuedMs: 1_764_000_000_000 },
    { jobId: '' },
    { jobId: '' },
  ];
  for (const job of jobs) run(job, () => {});
  assert.deepEqual(counts(), {});
});

test('of two million different jobs none is taken for another', () => {
  const duplicates = new Duplicates();
  let found = 0;
  for (let i = 0; i < 2_000_000; i++) {
    const job = {
      framework: 'bullmq',
      queue: 'q',
      jobId: String(i),
      jobScope: 5,
      enqueuedMs: 1.764e12 + (i >> 4),
    };
    if (duplicates.begin(i % 50, job) !== undefined) found++;
    duplicates.end(i % 50, true);
  }
  assert.equal(found, 0);
});

test('the last thousands of successes are remembered', () => {
  const duplicates = new Duplicates();
  const job = (i: number) => ({ framework: 'f', queue: 'q', jobId: `job-${i}` });
  const again = (i: number): boolean => {
    const found = duplicates.begin(0, job(i));
    duplicates.end(0, true);
    return found === 'repeated';
  };
  for (let i = 0; i < 5000; i++) assert.equal(again(i), false);
  let known = 0;
  for (let i = 4000; i < 5000; i++) known += Number(again(i));
  assert.ok(known > 900, String(known));
});
