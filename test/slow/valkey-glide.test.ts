import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { bullmqKinds } from '../helpers/bullmq-kinds.ts';
import { startSink } from '../helpers/otlp-sink.ts';
import { startRedis } from '../helpers/redis.ts';
import { installGlide } from '../helpers/valkey-glide.ts';
import { startProgram } from '../helpers/worker.ts';

const WATCHED = join(import.meta.dirname, '../fixtures/bullmq/watched.ts');
const glide = installGlide();

if (typeof glide === 'string') {
  test('bullmq on valkey-glide', { skip: glide });
} else {
  const env = { NODE_PATH: glide.modules };
  after(() => glide.remove());
  bullmqKinds('bullmq', 'valkey-glide', () => env);

  test('a queue is watched at the address that the client has', async (t) => {
    const [redis, sink] = await Promise.all([startRedis(), startSink()]);
    t.after(() => Promise.all([redis.stop(), sink.down()]));
    const program = startProgram(WATCHED, {
      args: ['kit'],
      redis,
      sink,
      env: {
        ...env,
        BULLMQ_CLIENT: 'valkey-glide',
        OTEL_METRIC_EXPORT_INTERVAL: '500',
        TASKWARDEN_QUEUES_INTERVAL: '1s',
      },
    });
    await program.said('ready');
    const { attributes } = await sink.waitFor(
      () => sink.metrics.find(({ name, value }) => name === 'queue.workers' && value === 1),
      20_000,
    );
    assert.equal(attributes['messaging.destination.name'], 'watched');
    assert.equal(attributes['queue.prefix'], 'jobs');
    program.child.stdin!.end();
    const { code, stderr } = await program.ended;
    assert.deepEqual([code, stderr], [0, '']);
  });
}
