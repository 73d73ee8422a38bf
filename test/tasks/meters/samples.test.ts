import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { AGENT, F64, I32 } from '../../../src/bridge/protocol.ts';
import { Tally } from '../../../src/tasks/tally.ts';
import { mainSide, runInfo } from '../../helpers/main-side.ts';
import { spin } from '../../helpers/spin.ts';

const globals = globalThis as { [key: symbol]: (() => void) | undefined };
/** What the agent does by an interrupt. */
const sample = (): void => globals[Symbol.for('taskwarden.sample')]?.();

/** The main side with counts of what the tally gets. */
function sampling() {
  const counts: Record<string, number> = {};
  const tally = new Tally();
  tally.add = (taskId, name, count) => {
    counts[`${name} ${taskId}`] = (counts[`${name} ${taskId}`] ?? 0) + count;
  };
  const side = mainSide({ cpu: { mode: 'sampled', tally } });
  side.cpu.start();
  after(() => side.cpu.stop());
  return { ...side, counts };
}

test('a sample gives the time since the one before to the task it finds', async () => {
  const { cpu, tasks, counts, shared } = sampling();
  assert.equal(shared.i32[I32.samplingAsked], 1);
  sample();
  await tasks.run(
    () => runInfo(),
    async () => {
      await null;
      spin(5);
      sample();
      await null;
      spin(5);
      sample();
    },
  );
  spin(5);
  sample();
  cpu.check(performance.now(), 100);
  assert.equal(counts['cpu_samples 0'], 2);
  assert.ok(counts['cpu_sampled 0']! > 0);
  assert.deepEqual(Object.keys(counts).sort(), ['cpu_sampled 0', 'cpu_samples 0']);
  cpu.stop();
  assert.equal(shared.i32[I32.samplingAsked], 0);
  assert.equal(globals[Symbol.for('taskwarden.sample')], undefined);
});

test('time in which nothing was there to be sampled is not charged', async () => {
  const { tasks, counts, shared } = sampling();
  spin(20);
  shared.f64[F64.quietAt] = performance.now() + 1e6;
  await tasks.run(() => runInfo(), sample);
  assert.deepEqual(counts, {});
});

test('work that outlives its run is nobody’s', async () => {
  const { tasks, counts } = sampling();
  let late: Promise<void> | undefined;
  await tasks.run(
    () => runInfo(),
    () => {
      late = new Promise((done) => setImmediate(done)).then(() => sample());
    },
  );
  await late;
  assert.deepEqual(counts, {});
});

test('runs count as sampled while samples come, and as timed to their first await otherwise', async () => {
  const { tasks, shared, drain, inbox } = sampling();
  const run = () =>
    tasks.run(
      () => runInfo(),
      async () => spin(1),
    );
  await run();
  Atomics.store(shared.i32, I32.sampling, 1);
  await run();
  inbox.announce('watching');
  await run();
  Atomics.store(shared.i32, I32.agent, AGENT.gone);
  await run();
  const runs = drain();
  assert.deepEqual(
    runs.map(({ cpuQuality, cpuSampled }) => [cpuQuality, cpuSampled]),
    [false, true, true, false].map((sampled) => ['sync_only', sampled]),
  );
});
