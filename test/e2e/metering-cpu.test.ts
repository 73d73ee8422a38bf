import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { lastPoints, linesOf, runFixture } from '../fixtures/bullmq/run.ts';
import { EXACT } from '../helpers/main-side.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';

const LEAST_SHARE = 0.7;
/** What BullMQ, the loop and busy neighbours on the machine may add to a run, s. */
const SLACK = 0.1;
const TASKS = ['light', 'heavy', 'blocks', 'waits', 'before-await'];

let redis: RedisServer;
before(async () => {
  redis = await startRedis();
});
after(() => redis.stop());

for (const mode of ['auto', 'sampled', 'sync', 'off'] as const) {
  describe(`cpu.mode ${mode}`, () => {
    let sink: OtlpSink;
    /** ms of CPU, and of the clock, which goes on while the thread waits for a CPU. */
    let spent: Record<string, number>;
    let longest: Record<string, number>;
    before(async () => {
      sink = await startSink();
      const ended = await runFixture('cpu.ts', sink, {
        redis,
        env: { TASKWARDEN_CPU_MODE: mode, TASKWARDEN_CPU_BUDGET: '1' },
      });
      await sink.down();
      assert.equal(ended.code, 0, ended.stderr);
      [{ spent, longest }] = linesOf(ended) as [Record<'spent' | 'longest', Record<string, number>>];
      assert.equal(sink.spans.length, TASKS.length);
    });

    const attribute = (task: string, name: string): unknown =>
      sink.spans.find(({ attributes }) => attributes['task.name'] === task)?.attributes[name];
    const cpu = (task: string): number => attribute(task, 'task.cpu.time') as number;
    const isAbout = (task: string, value: number, seconds: number): void =>
      assert.ok(
        value >= LEAST_SHARE * seconds && value <= seconds + SLACK,
        `${task}: ${value} s, spent ${seconds} s`,
      );

    if (mode === 'auto' && EXACT) {
      test('interleaved tasks have each its own CPU time', () => {
        for (const task of TASKS) {
          assert.equal(attribute(task, 'task.cpu.quality'), 'exact');
          isAbout(task, cpu(task), (spent[task] ?? 0) / 1000);
        }
        assert.ok(cpu('waits') < SLACK, `waiting is no CPU time: ${cpu('waits')} s`);
        const share = cpu('heavy') / (cpu('heavy') + cpu('light'));
        const truth = spent.heavy! / (spent.heavy! + spent.light!);
        assert.ok(Math.abs(share - truth) < 0.1, `share ${share}, truth ${truth}`);
      });

      test('the longest block of a run is the longest time without a break', () => {
        const block = (task: string): number => attribute(task, 'task.event_loop.block.duration') as number;
        isAbout('blocks', block('blocks'), longest.blocks! / 1000);
        isAbout('heavy', block('heavy'), longest.heavy! / 1000);
      });

      test('the metric says the same, with its quality', () => {
        for (const task of TASKS) {
          const [point, ...more] = lastPoints(sink, 'task.cpu.time', { 'task.name': task });
          assert.deepEqual(more, []);
          assert.equal(point!.attributes['task.cpu.quality'], 'exact');
          assert.ok(Math.abs(point!.value - cpu(task)) < 1e-9);
        }
      });
    } else if (mode !== 'off') {
      test('only the part before the first await is counted, and said to be that', () => {
        for (const task of TASKS) assert.equal(attribute(task, 'task.cpu.quality'), 'sync_only');
        isAbout('before-await', cpu('before-await'), longest['before-await']! / 1000);
        for (const task of ['heavy', 'blocks', 'light']) {
          assert.ok(cpu(task) < (0.5 * spent[task]!) / 1000, `${task}: ${cpu(task)} s`);
        }
        if (mode !== 'sync') return;
        const [point] = lastPoints(sink, 'task.cpu.time', { 'task.name': 'before-await' });
        assert.equal(point!.attributes['task.cpu.quality'], 'sync_only');
      });

      if (mode !== 'sync') {
        test('samples give tasks the rest', () => {
          const samples = lastPoints(sink, 'task.cpu.samples', {});
          assert.ok(samples.reduce((sum, { value }) => sum + value, 0) > 0);
          for (const { attributes, value } of samples) {
            const [time] = lastPoints(sink, 'task.cpu.time', {
              'task.name': String(attributes['task.name']),
              'task.cpu.quality': 'sampled',
            });
            assert.ok(time!.value > 0 && value > 0, String(attributes['task.name']));
          }
        });
      }
    } else {
      test('nothing is claimed where nothing is measured', () => {
        assert.deepEqual(lastPoints(sink, 'task.cpu.time', {}), []);
        for (const task of TASKS) {
          assert.equal(attribute(task, 'task.cpu.time'), undefined, 'unknown is never 0');
          assert.equal(attribute(task, 'task.event_loop.block.duration'), undefined);
        }
      });
    }
  });
}
