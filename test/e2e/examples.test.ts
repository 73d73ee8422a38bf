import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { startSink } from '../helpers/otlp-sink.ts';
import { startRedis } from '../helpers/redis.ts';
import { runProgram, startProgram } from '../helpers/worker.ts';

const example = (file: string): string => resolve(import.meta.dirname, '../../examples/bullmq', file);

test('examples/bullmq: the worker runs what the producer adds, and nothing in it knows of Taskwarden', async () => {
  const redis = await startRedis();
  const sink = await startSink();
  try {
    const worker = startProgram(example('worker.js'), { redis, sink });
    await worker.said('ready');
    const producer = await runProgram(example('producer.js'), { redis, preload: 'none' });
    assert.equal(producer.code, 0, producer.stderr);
    await sink.waitFor(({ spans }) => spans.length === 12, 20_000);
    worker.child.kill('SIGTERM');
    assert.equal((await worker.ended).code, 0);
    const byTask = Map.groupBy(sink.spans, (span) => `${span.attributes['task.name']} ${span.status.code}`);
    assert.deepEqual([...byTask].map(([key, spans]) => [key, spans.length]).sort(), [
      ['bounce 2', 2],
      ['welcome 0', 10],
    ]);
    assert.ok(sink.spans.every((span) => span.name === 'process mail'));
  } finally {
    await sink.down();
    await redis.stop();
  }
});
