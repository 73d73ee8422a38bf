import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GrowthEstimator, type GrowthOptions } from '../../src/attribution/growth.ts';
import { cache, type Load, leak, observations, random, type Task } from './synthetic.ts';

const RATES = [2, 3, 4, 5, 5, 6, 8, 10, 12, 20];
const SEEDS = [1, 2, 3, 4];

/** Ten tasks, every third in bursts, changed as `changes` say by the task's number. */
function tenTasks(changes: Record<number, Partial<Task>> = {}): Task[] {
  return RATES.map((rate, i) => ({
    name: `task${i}`,
    rate,
    arrivals: i % 3 === 2 ? 'bursts' : 'poisson',
    ...changes[i],
  }));
}

/** What was said on the way: the sample and the second at which each task was first named. */
function watch(load: Load, options?: GrowthOptions) {
  const estimator = new GrowthEstimator(options);
  const named = new Map<string, { sample: number; seconds: number }>();
  let sample = 0;
  let grew = false;
  let confirmed = false;
  for (const observation of observations(load)) {
    estimator.observe(observation);
    sample++;
    grew ||= estimator.unattributed() !== undefined;
    confirmed ||= [...estimator.findings().values()].some(({ state }) => state === 'confirmed');
    for (const task of estimator.estimates().keys()) {
      if (!named.has(task)) named.set(task, { sample, seconds: observation.timeMs / 1000 });
    }
  }
  return { estimator, named, grew, confirmed };
}

test('a leak of 50 KB per run among ten tasks is named within 45 samples, and no other task is', () => {
  for (const seed of SEEDS) {
    const tasks = tenTasks({ 3: { retains: leak(50_000) } });
    const { estimator, named, grew } = watch({ seed, tasks, samples: 45, white: 60e3, slow: 60e3 });
    assert.deepEqual([...named.keys()], ['task3'], `seed ${seed}`);
    const estimate = estimator.estimates().get('task3')!;
    assert.ok(Math.abs(estimate.perRun / 50_000 - 1) < 0.05, `seed ${seed}: ${estimate.perRun}`);
    assert.ok(estimate.lower > 40_000 && estimate.lower < estimate.perRun, `seed ${seed}`);
    assert.ok(estimate.samples >= 12 && estimate.samples <= 45);
    assert.equal(estimator.unattributed(), undefined);
    assert.equal(grew, false);
  }
});

test('a leak of 10 KB per run is named within 45 samples', () => {
  const tasks = tenTasks({ 7: { retains: leak(10_000) } });
  const { estimator, named } = watch({ seed: 1, tasks, samples: 45, white: 60e3, slow: 60e3 });
  assert.deepEqual([...named.keys()], ['task7']);
  assert.ok(Math.abs(estimator.estimates().get('task7')!.perRun / 10_000 - 1) < 0.1);
});

test('the warm-up of a worker is not laid to the task that leaks, in the mean of what is first said', () => {
  const warmUp = (seconds: number): number => 300e3 * (1 - Math.exp(-seconds / 3));
  for (const background of [() => 0, warmUp]) {
    const errors = Array.from({ length: 12 }, (_, seed) => {
      const tasks = tenTasks({ 7: { retains: leak(10_000) } });
      const load = { seed, tasks, samples: 60, white: 40e3, slow: 30e3, background };
      const estimator = new GrowthEstimator();
      for (const observation of observations(load)) {
        estimator.observe(observation);
        const estimate = estimator.estimates().get('task7');
        if (estimate !== undefined) return estimate.perRun / 10_000 - 1;
      }
      return assert.fail(`seed ${seed}: not named`);
    });
    const mean = errors.reduce((sum, error) => sum + error) / errors.length;
    assert.ok(Math.abs(mean) < 0.02, `${background.name}: ${mean}`);
  }
});

test('what only some of the runs leave behind is laid to their task, or to nobody', () => {
  let found = 0;
  for (const seed of SEEDS) {
    const next = random(seed);
    let [kept, seen] = [0, 0];
    const retains = (completed: number): number => {
      for (; seen < completed; seen++) if (next() < 1 / 3) kept += 30_000;
      return kept;
    };
    const tasks = tenTasks({ 7: { retains } });
    const { estimator, confirmed } = watch({ seed, tasks, samples: 80, white: 60e3, slow: 60e3 });
    const estimates = estimator.estimates();
    const { perRun, lower } = estimates.get('task7') ?? { perRun: 0, lower: 0 };
    if (perRun === 0) assert.ok(estimator.unattributed()! > 0);
    else assert.ok(lower < 10_000 && Math.abs(perRun / 10_000 - 1) < 0.25, `${seed}: ${perRun}`);
    estimates.delete('task7');
    assert.deepEqual([...estimates.keys()], [], `seed ${seed}`);
    assert.equal(confirmed, false, 'it has added 12 MB');
    if (perRun > 0) found++;
  }
  assert.ok(found >= 2, `${found} of 4`);
});

test('nothing is said of a heap that only wavers', () => {
  for (const seed of SEEDS) {
    for (const slow of [100e3, 1e6]) {
      const { named, grew } = watch({ seed, tasks: tenTasks(), samples: 120, slow });
      assert.deepEqual([...named.keys()], [], `seed ${seed}`);
      assert.equal(grew, false, `seed ${seed}`);
    }
  }
});

test('a cache that fills is suspected at most, and cleared when it is full', () => {
  const slowing = (completed: number): number => 8e6 * (1 - Math.exp(-completed / 300));
  const fills = [cache(50e3, 1e6), cache(50e3, 4e6), cache(50e3, 16e6), slowing];
  for (const seed of SEEDS.slice(0, 2)) {
    for (const [i, retains] of fills.entries()) {
      const { estimator, named, confirmed } = watch({
        seed,
        tasks: tenTasks({ 6: { retains } }),
        samples: 80,
      });
      assert.deepEqual(
        [...named.keys()].filter((task) => task !== 'task6'),
        [],
        `seed ${seed}`,
      );
      if (i === 0) assert.equal(named.size, 0, `seed ${seed}`);
      assert.equal(confirmed, false, `seed ${seed}`);
      assert.deepEqual([...estimator.estimates()], [], `seed ${seed}`);
    }
  }
});

test('a cache that filled beyond what is tolerated is cleared again after it stopped', () => {
  const tasks = tenTasks({ 9: { retains: cache(50e3, 40e6) } });
  const { estimator, named } = watch({ seed: 1, tasks, samples: 80 });
  assert.deepEqual([...named.keys()], ['task9']);
  assert.deepEqual([...estimator.estimates()], []);
  assert.equal(estimator.unattributed(), undefined);
});

test('a leak is named beside a cache that fills, and the cache is not', () => {
  for (const seed of SEEDS) {
    const tasks = tenTasks({ 3: { retains: leak(50e3) }, 7: { retains: cache(40e3, 4e6) } });
    const { named } = watch({ seed, tasks, samples: 80, white: 60e3, slow: 60e3 });
    assert.deepEqual([...named.keys()], ['task3'], `seed ${seed}`);
  }
});

test('two leaks are both named', () => {
  const tasks = tenTasks({ 3: { retains: leak(50e3) }, 7: { retains: leak(20e3) } });
  const { estimator } = watch({ seed: 2, tasks, samples: 80, white: 60e3, slow: 60e3 });
  assert.deepEqual([...estimator.estimates().keys()].sort(), ['task3', 'task7']);
});

test('growth with time alone is reported as unattributed, at its rate, and blames no task', () => {
  for (const seed of SEEDS) {
    const load = { seed, tasks: tenTasks(), samples: 60, background: (seconds: number) => 300e3 * seconds };
    const { estimator, named } = watch(load);
    assert.deepEqual([...named.keys()], [], `seed ${seed}`);
    assert.ok(Math.abs(estimator.unattributed()! / 300e3 - 1) < 0.1, `seed ${seed}`);
  }
});

test('tasks that always run together are not told apart: the growth is unattributed', () => {
  const tasks = RATES.map((_, i): Task => ({ name: `task${i}`, rate: 5, arrivals: 'regular' }));
  tasks[3]!.retains = leak(50_000);
  const { estimator, named } = watch({ seed: 1, tasks, samples: 60 });
  assert.deepEqual([...named.keys()], []);
  assert.ok(Math.abs(estimator.unattributed()! / 250_000 - 1) < 0.1);
});

test('the only task of a worker is named although its runs are as regular as time', () => {
  const tasks: Task[] = [{ name: 'alone', rate: 10, arrivals: 'regular', retains: leak(50_000) }];
  const { estimator } = watch({ seed: 1, tasks, samples: 30 });
  assert.deepEqual([...estimator.estimates().keys()], ['alone']);
});

test('a leak that begins long after the start is named, and nothing before it', () => {
  const tasks = tenTasks({ 3: { retains: leak(50_000, 1500) } });
  const { named } = watch({ seed: 3, tasks, samples: 280 });
  assert.deepEqual([...named.keys()], ['task3']);
  assert.ok(named.get('task3')!.seconds > 290);
});

test('tasks beyond the cap are never named; their growth is unattributed', () => {
  const tasks = tenTasks({ 9: { retains: leak(50_000) } });
  const { estimator, named } = watch({ seed: 1, tasks, samples: 60 }, { maxTasks: 9 });
  assert.deepEqual([...named.keys()], []);
  assert.ok(estimator.unattributed()! > 0);
});

test('nothing is said before minSamples, nor below minGrowth', () => {
  const tasks = tenTasks({ 3: { retains: leak(50_000) } });
  const load = { seed: 1, tasks, samples: 40, white: 60e3, slow: 60e3 };
  assert.deepEqual([...watch(load, { minGrowth: 100e6 }).named.keys()], []);
  assert.deepEqual([...watch(load, { minSamples: 41 }).named.keys()], []);
  const early = watch(load, { minSamples: 12, minGrowth: 1e6 }).named.get('task3')!;
  assert.ok(early.sample >= 14, `three looks from the 12th sample on take 14, not ${early.sample}`);
});

test('an observation without a heap is ignored', () => {
  const estimator = new GrowthEstimator();
  for (let i = 0; i < 40; i++) {
    const completedByTask = new Map([['a', i]]);
    estimator.observe({ level: Number.NaN, completedByTask, inFlight: 0, timeMs: i * 1000 });
  }
  assert.equal(estimator.estimates().size, 0);
  assert.equal(estimator.unattributed(), undefined);
});

test('a heap without any noise, or without any change, breaks nothing', () => {
  for (const perRun of [0, 50_000]) {
    const estimator = new GrowthEstimator();
    for (let i = 0; i < 40; i++) {
      const completedByTask = new Map([
        ['a', i * 10 + (i % 3)],
        ['b', i * 7 + (i % 5)],
        ['idle', 0],
      ]);
      const level = 10e6 + perRun * completedByTask.get('a')!;
      estimator.observe({ level, completedByTask, inFlight: 0, timeMs: i * 1000 });
    }
    assert.deepEqual([...estimator.estimates().keys()], perRun === 0 ? [] : ['a']);
    const lower = estimator.estimates().get('a')?.lower;
    if (lower !== undefined) assert.ok(Math.abs(lower - perRun) < 1);
  }
});

test('a leak is suspected first, and confirmed once it has gone on for long enough', () => {
  const tasks = tenTasks({ 3: { retains: leak(50_000) } });
  const estimator = new GrowthEstimator();
  const states: string[] = [];
  for (const observation of observations({ seed: 1, tasks, samples: 160, white: 60e3, slow: 60e3 })) {
    estimator.observe(observation);
    const finding = estimator.findings().get('task3');
    if (finding !== undefined && states.at(-1) !== finding.state) states.push(finding.state);
    if (finding?.state === 'confirmed')
      assert.ok(50_000 * observation.completedByTask.get('task3')! > 30 * 1024 * 1024);
    for (const task of estimator.findings().keys()) assert.equal(task, 'task3');
  }
  assert.deepEqual(states, ['suspected', 'confirmed']);
  assert.ok(Math.abs(estimator.findings().get('task3')!.perRun / 50_000 - 1) < 0.05);
});

test('a cache of 25 MB, or of 60 MB that fills more and more slowly, is never confirmed', () => {
  const slowing = (completed: number): number => 60e6 * (1 - Math.exp(-completed / 1200));
  for (const retains of [cache(50e3, 25e6), slowing]) {
    const tasks = tenTasks({ 9: { retains } });
    const { confirmed } = watch({ seed: 1, tasks, samples: 130, white: 60e3, slow: 60e3 });
    assert.equal(confirmed, false);
  }
});

test('a task that cannot be told from others is suspected with them, and never named', () => {
  const tasks = tenTasks({ 3: { retains: leak(50_000) } });
  const estimator = new GrowthEstimator();
  let groups = 0;
  for (const observation of observations({ seed: 1, tasks, samples: 80, white: 60e3, slow: 60e3 })) {
    const completed = new Map(observation.completedByTask);
    completed.set('twin', completed.get('task3')!);
    estimator.observe({ ...observation, completedByTask: completed });
    for (const [task, { group, state }] of estimator.findings()) {
      assert.deepEqual([task, ...group].sort(), ['task3', 'twin']);
      assert.equal(state, 'suspected');
      groups++;
    }
  }
  assert.ok(groups > 0);
  assert.deepEqual([...estimator.estimates()], []);
});
