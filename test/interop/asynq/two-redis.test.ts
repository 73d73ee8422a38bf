import assert from 'node:assert/strict';
import { suite, type TestContext, test } from 'node:test';
import { inspectWorkers } from '../../../src/agent/worker-processes.ts';
import { type AsynqSystem, createAsynq } from '../../../src/queues/asynq/asynq.ts';
import { instanceName, parseTarget } from '../../../src/queues/target.ts';
import { Registry } from '../../../src/store/registry.ts';
import { Asynq } from '../../helpers/asynq.ts';
import { asynqMissing } from '../../helpers/go-programs.ts';
import { startRedis } from '../../helpers/redis.ts';
import { watching } from '../../queues/watching.ts';

async function instance(t: TestContext, system: AsynqSystem, registry: Registry) {
  const server = await startRedis();
  t.after(() => server.stop());
  const name = instanceName(parseTarget(server.url));
  const watch = watching(t, server.url, [system], { registry });
  const asynq = await Asynq.on(server);
  const worker = asynq.worker();
  t.after(() => worker.stop('SIGKILL'));
  return {
    asynq,
    worker,
    watch,
    value: (metric: string, attributes: Readonly<Record<string, string>> = {}) =>
      watch.value(metric, { ...attributes, 'redis.instance': name }),
    runs: () => system.runsFor({ redis_instance: name }).map(({ jobId, active }) => ({ jobId, active })),
  };
}

suite('two Redis instances with the same queue, type and task id', { skip: asynqMissing() }, () => {
  test('a worker that dies, and tasks that fail, are those of their own Redis', async (t) => {
    const system = createAsynq({ inspect: inspectWorkers() });
    const registry = new Registry(Date.now(), { maxSeriesPerMetric: 2000 });
    const a = await instance(t, system, registry);
    const b = await instance(t, system, registry);
    const until = async (what: string, holds: () => boolean): Promise<void> => {
      const end = Date.now() + 60_000;
      for (;;) {
        for (const { watch } of [a, b]) await watch.poll();
        if (holds()) return;
        if (Date.now() > end) throw new Error(`not within a minute: ${what}`);
        await new Promise((later) => setTimeout(later, 100));
      }
    };
    const task = { type: 'stubborn:report', id: 'report-1', payload: { ms: 600_000 } };
    await a.asynq.enqueue(task, { type: 'archive:mail', payload: { error: 'refused' } });
    await b.asynq.enqueue(task);
    const active = { 'task.name': task.type };
    await until('both are in flight', () => [a, b].every(({ value }) => value('task.active', active) === 1));
    await until('the failure has been read', () => a.value('task.failures.sampled') === 1);
    assert.equal(b.value('task.failures.sampled'), undefined);
    for (const { value, worker } of [a, b]) {
      const memory = value('queue.worker.memory.usage', { 'process.pid': String(worker.pid) });
      assert.ok(memory !== undefined && memory > 1_000_000, String(memory));
    }

    await a.worker.stop('SIGKILL');
    await until('it is lost', () => a.value('task.lost') === 1);
    assert.equal(b.value('task.lost'), undefined);
    assert.equal(b.value('task.active', active), 1);
    assert.equal(b.value('queue.workers'), 1);
    assert.equal(a.value('queue.workers'), undefined);
    assert.deepEqual(a.runs(), [{ jobId: 'report-1', active: false }]);
    assert.deepEqual(b.runs(), [{ jobId: 'report-1', active: true }]);
  });
});
