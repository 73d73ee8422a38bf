import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { linesOf, runFixture } from '../fixtures/bullmq/run.ts';
import { startSink } from '../helpers/otlp-sink.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';

const TRACE = 'ab'.repeat(16);
const PARENT = 'cd'.repeat(8);
const ERROR = 2;

/** The part of a span that both the receiver and an SDK show. */
interface Seen {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId: string;
  attributes: Record<string, unknown>;
  links: { traceId: string; spanId: string }[];
  events: { name: string }[];
  status: { code: number; message?: string };
  scope: string;
}

let redis: RedisServer;
before(async () => {
  redis = await startRedis();
});
after(() => redis.stop());

/** All spans of a program's: those it exported itself, and those that Taskwarden did. */
async function run(library: string, mode: string, env: Record<string, string> = {}) {
  const sink = await startSink();
  const ended = await runFixture('telemetry.ts', sink, {
    redis,
    env: { BULLMQ: library, MODE: mode, ...env },
  });
  await sink.down();
  assert.equal(ended.code, 0, ended.stderr);
  assert.equal(ended.stderr, '');
  const [{ spans: own }] = linesOf<{ spans: Seen[] }>(ended) as [{ spans: Seen[] }];
  const exported = sink.spans.map((span): Seen => ({ ...span, scope: span.scope.name }));
  return { own, exported };
}

/** The one consumer span of each run, by the name of the task. */
function runsOf(spans: Seen[]): Record<'first' | 'second' | 'broken', Seen> {
  const consumers = spans.filter(({ name }) => name === 'process letters');
  assert.equal(consumers.length, 3, 'one consumer span a run');
  return Object.fromEntries(consumers.map((span) => [span.attributes['task.name'], span])) as never;
}

function hasOurAttributes(span: Seen): void {
  assert.equal(span.attributes['messaging.system'], 'bullmq');
  assert.equal(span.attributes['messaging.operation.type'], 'process');
  assert.equal(span.attributes['task.attempt'], 1);
  for (const name of ['task.cpu.time', 'task.wait.duration', 'task.network.requests']) {
    assert.equal(typeof span.attributes[name], 'number', name);
  }
}

function hasFailed(span: Seen): void {
  assert.deepEqual([span.status.code, span.status.message], [ERROR, 'torn']);
  assert.equal(span.attributes['error.type'], 'TypeError');
  assert.ok(span.events.some(({ name }) => name === 'exception'));
}

/** Spans made inside a handler are children of its run's. */
function hasInner(spans: Seen[], { traceId, spanId }: Seen, task: string): void {
  const inner = spans.find(({ name }) => name === `inside ${task}`);
  assert.deepEqual([inner?.traceId, inner?.parentSpanId], [traceId, spanId]);
}

for (const library of ['bullmq5', 'bullmq']) {
  describe(library, () => {
    test('a run is linked to the producer whose context the job carries', async () => {
      const { exported } = await run(library, 'none');
      const runs = runsOf(exported);
      for (const span of Object.values(runs)) {
        assert.deepEqual(
          span.links.map(({ traceId, spanId }) => [traceId, spanId]),
          [[TRACE, PARENT]],
        );
        assert.equal(span.parentSpanId, '');
        assert.notEqual(span.traceId, TRACE);
        hasInner(exported, span, String(span.attributes['task.name']));
      }
      hasFailed(runs.broken);
    });

    test('or is its child, where the configuration says so', async () => {
      const { exported } = await run(library, 'none', { TASKWARDEN_TELEMETRY_PARENT: 'parent' });
      for (const span of Object.values(runsOf(exported))) {
        assert.deepEqual([span.traceId, span.parentSpanId, span.links], [TRACE, PARENT, []]);
        hasInner(exported, span, String(span.attributes['task.name']));
      }
    });

    test("BullMQ's own consumer span is used where it has one, from the first run on", async () => {
      const { exported } = await run(library, 'none telemetry');
      const runs = runsOf(exported);
      for (const span of Object.values(runs)) {
        assert.equal(span.scope, 'bullmq-telemetry');
        assert.ok(span.attributes['bullmq.job.id'], 'what BullMQ sets');
        hasOurAttributes(span);
        hasInner(exported, span, String(span.attributes['task.name']));
      }
      hasFailed(runs.broken);
      assert.equal(runs.second.status.code, 0);
    });

    test("the spans are the host's SDK's where it runs one", async () => {
      const { own, exported } = await run(library, 'sdk');
      assert.deepEqual(exported, [], 'nothing twice');
      const runs = runsOf(own);
      for (const span of Object.values(runs)) {
        assert.equal(span.scope, 'taskwarden');
        assert.deepEqual(span.links, [{ traceId: TRACE, spanId: PARENT }]);
        hasOurAttributes(span);
        hasInner(own, span, String(span.attributes['task.name']));
      }
      hasFailed(runs.broken);
    });

    test("and BullMQ's where it makes them through that SDK", async () => {
      const { own, exported } = await run(library, 'sdk telemetry');
      assert.deepEqual(exported, []);
      const runs = runsOf(own);
      for (const span of Object.values(runs)) {
        assert.equal(span.scope, 'bullmq-telemetry');
        const producer = own.find(({ spanId }) => spanId === span.parentSpanId);
        assert.ok(producer, 'BullMQ makes its consumer span a child of the producer');
        hasOurAttributes(span);
        hasInner(own, span, String(span.attributes['task.name']));
      }
      hasFailed(runs.broken);
    });
  });
}
