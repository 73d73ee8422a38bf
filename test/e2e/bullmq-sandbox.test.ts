import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { lastPoints, linesOf, runFixture } from '../fixtures/bullmq/run.ts';
import { type CountingServer, startCountingServer } from '../fixtures/bullmq/server.ts';
import { startSink } from '../helpers/otlp-sink.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';

let redis: RedisServer;
let server: CountingServer;
before(async () => {
  [redis, server] = await Promise.all([startRedis(), startCountingServer()]);
});
after(async () => {
  await Promise.all([redis.stop(), server.close()]);
});

for (const library of ['bullmq5', 'bullmq']) {
  for (const threads of [true, false]) {
    test(`${library}: a run in a ${threads ? 'worker thread' : 'forked child'} is one span, metered there`, async () => {
      const sink = await startSink();
      const ended = await runFixture('sandbox.ts', sink, {
        redis,
        env: { BULLMQ: library, THREADS: String(threads), TARGET: server.url },
      });
      await sink.down();
      assert.equal(ended.code, 0, ended.stderr);
      assert.equal(ended.stderr, '');
      const [{ returned, pid }] = linesOf<{ returned: string[]; pid: number }>(ended) as [
        { returned: string[]; pid: number },
      ];
      assert.deepEqual(returned, ['flaky done', 'steady done']);
      const runs = sink.spans.map(({ attributes, status }) => [
        attributes['task.name'],
        attributes['task.attempt'],
        status.code,
        attributes['task.network.requests'],
        (attributes['task.network.io.receive'] as number) > 500,
      ]);
      assert.deepEqual(runs.sort(), [
        ['flaky', 1, 2, 1, true],
        ['flaky', 2, 0, 1, true],
        ['steady', 1, 0, 1, true],
      ]);
      const retries = (task: string): number =>
        lastPoints(sink, 'task.retries', { 'task.name': task }).reduce((sum, { value }) => sum + value, 0);
      assert.deepEqual([retries('flaky'), retries('steady')], [1, 0]);
      for (const { name, resource, attributes } of sink.spans) {
        assert.equal(name, 'process sandbox');
        assert.equal(attributes['messaging.destination.name'], 'sandbox');
        assert.equal(resource['process.pid'] === pid, threads);
        if (attributes['task.attempt'] === 1) assert.ok((attributes['task.wait.duration'] as number) < 5);
        else assert.equal(attributes['task.wait.duration'], undefined);
      }
    });
  }
}
