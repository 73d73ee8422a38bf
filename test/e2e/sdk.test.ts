import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { after, describe, test } from 'node:test';
import { Queue } from 'bullmq';
import type { ReceivedSpan } from '../helpers/otlp-items.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';
import { startRedis } from '../helpers/redis.ts';
import { type ProgramOptions, startProgram } from '../helpers/worker.ts';

const FIXTURES = resolve(import.meta.dirname, '../fixtures/preload');
const AUTO = ['--import', import.meta.resolve('@opentelemetry/auto-instrumentations-node/register')];
const CONSUMER = 5;

const redis = await startRedis();
const queues: Queue[] = [];
const sinks: OtlpSink[] = [];
after(async () => {
  await Promise.all([...queues.map((queue) => queue.close()), ...sinks.map((sink) => sink.down())]);
  await redis.stop();
});

/** Runs a worker until it has done the jobs and a last one, each after the one before. */
async function run(file: string, jobs: readonly string[], options: ProgramOptions = {}) {
  const [ours, host] = await Promise.all([startSink(), startSink()]);
  sinks.push(ours, host);
  const name = `sdk-${queues.length}`;
  const queue = new Queue(name, { connection: { url: redis.url } });
  queues.push(queue);
  const program = startProgram(resolve(FIXTURES, file), {
    ...options,
    sink: ours,
    redis,
    args: [name, ...(options.args ?? [])],
    env: { ...options.env, HOST_ENDPOINT: host.url, OTEL_METRIC_EXPORT_INTERVAL: '100' },
  });
  for (const [order, job] of jobs.entries()) {
    await queue.add(job, { order });
    if (options.preload !== 'none') await ours.waitFor((sink) => hasRun(sink, job));
  }
  await queue.add('end', { order: jobs.length });
  const ended = await program.ended;
  assert.deepEqual([ended.code, ended.stderr], [0, '']);
  return { ours: ours.spans, host: host.spans, sink: ours, name };
}

function hasRun({ metrics }: OtlpSink, task: string): boolean {
  return metrics.some(
    ({ name, attributes, value }) => name === 'task.runs' && attributes['task.name'] === task && value > 0,
  );
}

function spanOf(spans: readonly ReceivedSpan[], task: string): ReceivedSpan {
  const found = spans.filter(({ kind, attributes }) => kind === CONSUMER && attributes['task.name'] === task);
  assert.equal(found.length, 1, `consumer spans of ${task}`);
  return found[0]!;
}

/** Names of a span's children, and of theirs in brackets. */
function tree(spans: readonly ReceivedSpan[], { traceId, spanId }: ReceivedSpan): string[] {
  return spans
    .filter((span) => span.traceId === traceId && span.parentSpanId === spanId)
    .map((span) => {
      const below = tree(spans, span);
      return below.length === 0 ? span.name : `${span.name} [${below.join(', ')}]`;
    })
    .sort();
}

/** That the run has one span with what it used, its own attributes, and the application's spans below it. */
function assertTraced(spans: readonly ReceivedSpan[], task: string, order: number): void {
  const span = spanOf(spans, task);
  assert.equal(span.parentSpanId, '');
  assert.equal(span.attributes['shop.order'], order);
  assert.equal(span.attributes['messaging.system'], 'bullmq');
  assert.ok(Number(span.attributes['task.cpu.time']) > 0);
  assert.deepEqual(tree(spans, span), ['look up [read row]']);
  assert.equal(span.status.code, task === 'fail' ? 2 : 0);
  const exceptions = span.events.filter(({ name }) => name === 'exception');
  assert.deepEqual(
    exceptions.map(({ attributes }) => attributes['exception.message']),
    task === 'fail' ? ['out of stock'] : [],
  );
}

const JOBS = ['first', 'second', 'fail'];
const ALL = [...JOBS, 'end'];

describe('beside the SDK of a host', { concurrency: 3 }, () => {
  test('that starts before the first job: all spans go its way', async () => {
    const { ours, host } = await run('sdk.mjs', JOBS, { args: ['before'] });
    assert.deepEqual(ours, []);
    assert.equal(host.length, 3 * ALL.length);
    for (const [order, task] of ALL.entries()) assertTraced(host, task, order);
    for (const { resource } of host) assert.equal(resource['service.name'], 'host');
  });

  test('that starts after the first job: its spans, and those of the application, are the host’s from then on', async () => {
    const { ours, host } = await run('sdk.mjs', JOBS, { args: ['after'] });
    assert.equal(ours.length, 3);
    assertTraced(ours, 'first', 0);
    assert.equal(host.length, 3 * (ALL.length - 1));
    for (const [order, task] of ALL.entries()) if (task !== 'first') assertTraced(host, task, order);
  });

  test('that only uses the API: we export its spans', async () => {
    const { ours, host } = await run('sdk.mjs', JOBS, { args: ['never'] });
    assert.deepEqual(host, []);
    assert.equal(ours.length, 3 * ALL.length);
    for (const [order, task] of ALL.entries()) assertTraced(ours, task, order);
    assert.equal(ours.find(({ name }) => name === 'look up')?.attributes.customer, 7);
    assert.equal(ours.find(({ name }) => name === 'look up')?.scope.name, 'shop');
  });

  test('without spans of ours, of which the host’s SDK knows nothing', async () => {
    const env = { OTEL_TRACES_EXPORTER: 'none' };
    const { ours, host, sink } = await run('sdk.mjs', JOBS, { args: ['never'], env });
    assert.deepEqual([...ours, ...host], []);
    assert.ok(hasRun(sink, 'end'));
  });
});

describe('beside preloaded auto-instrumentations', { concurrency: 3 }, () => {
  const env = { OTEL_NODE_RESOURCE_DETECTORS: 'none', OTEL_SERVICE_NAME: 'auto' };
  const orders = { 'before us': { before: AUTO }, 'after us': { after: AUTO } };

  for (const [order, options] of Object.entries(orders)) {
    test(order, async () => {
      const [{ ours: spans }, { ours: bare }] = await Promise.all([
        run('calls.mjs', ['greet'], { ...options, env }),
        run('calls.mjs', ['greet'], { before: AUTO, preload: 'none', env }),
      ]);
      for (const task of ['greet', 'end']) {
        const run = spanOf(spans, task);
        // The connection is made for the first request alone.
        const below = tree(spans, run).map((name) => name.replace('tcp.connect, ', ''));
        assert.deepEqual(
          below.map((name) => name.replace(/ \[.*/, '')),
          ['GET', 'set'],
        );
        assert.equal(run.attributes['task.network.requests'], 1);
        const sibling = spans.find(({ parentSpanId }) => parentSpanId === run.spanId)!;
        assert.deepEqual(run.resource, sibling.resource);
      }
      // Each request once: client and server, two jobs.
      const requests = (all: readonly ReceivedSpan[]) => all.filter(({ name }) => name === 'GET').length;
      assert.equal(requests(spans), 4);
      assert.equal(requests(bare), 4);
    });
  }
});
