import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type Ended, endPrograms, runProgram } from '../fixtures/faults/program.ts';
import { startSink } from '../helpers/otlp-sink.ts';

const sink = await startSink();

after(async () => {
  endPrograms();
  await sink.down();
});

const run = (env: Record<string, string>): Promise<Ended> =>
  runProgram('public-api.ts', { env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, ...env } });

interface Outer {
  id: number;
  during: string;
  before: Record<string, unknown>;
  after: Record<string, unknown>;
}

test('task() makes runs of calls and changes nothing about them; currentRun() tells of the run one is in', async () => {
  const { code, stderr, lines } = await run({});
  assert.equal(stderr, '');
  assert.equal(code, 0);
  const said = lines[0]!;
  assert.deepEqual(
    { outside: said.outside, total: said.total, shape: said.shape, end: said.end },
    { outside: null, total: 60, shape: ['total', 1], end: null },
  );
  assert.equal(said.sameError, true);
  assert.equal(said.thenable, 'asked once');
  for (const [at, { id, during, before, after }] of ([said.one, said.two] as Outer[]).entries()) {
    assert.equal(id, at + 1);
    assert.equal(during, 'inner');
    for (const current of [before, after]) {
      assert.equal(current.queue, 'q');
      assert.equal(current.task, 'outer');
      assert.equal(current.jobId, `job-${id}`);
      assert.equal(current.attempt, 1);
    }
  }

  const named = (name: string) => sink.spans.filter(({ attributes }) => attributes['task.name'] === name);
  assert.deepEqual(
    ['total', 'fails', 'inner', 'outer', 'thenable'].map((name) => named(name).length),
    [1, 1, 2, 2, 1],
  );
  const [outer] = named('outer');
  assert.equal(outer?.name, 'process q');
  assert.equal(outer?.attributes['messaging.system'], 'own');
  assert.deepEqual(
    named('outer').map(({ attributes }) => attributes['messaging.message.id']),
    ['job-1', 'job-2'],
  );
  assert.equal(named('total')[0]?.attributes['messaging.system'], 'custom');
  assert.equal(named('total')[0]?.name, 'process total', 'the queue is named as the task by default');
  const [failed] = named('fails');
  assert.equal(failed?.status.code, 2);
  assert.equal(failed?.attributes['error.type'], 'RangeError');
});

test('without Taskwarden at work the same program gives the same results, and no run', async () => {
  sink.clear();
  const { code, stderr, lines } = await run({ TASKWARDEN_ENABLED: 'false' });
  assert.equal(stderr, '');
  assert.equal(code, 0);
  const { total, shape, sameError, thenable, one } = lines[0]!;
  assert.deepEqual([total, shape, sameError, thenable], [60, ['total', 1], true, 'asked once']);
  assert.deepEqual(one, { id: 1 });
  assert.equal(sink.requests.length, 0);
});

test('a failure that nobody waits for ends the program as it would without Taskwarden', async () => {
  const [preloaded, bare] = await Promise.all(
    ['true', 'false'].map((enabled) =>
      runProgram('dropped.ts', {
        env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, TASKWARDEN_ENABLED: enabled },
      }),
    ),
  );
  assert.equal(bare?.code, 1);
  assert.equal(preloaded?.code, 1);
  assert.match(preloaded!.stderr, /RangeError: nobody waits/);
});

test('what is started again is the main thread as before, with the configuration as it is then', async () => {
  sink.clear();
  const { code, stderr, lines } = await runProgram('twice.ts', {
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_SERVICE_NAME: 'first',
      OTEL_METRIC_EXPORT_INTERVAL: '500',
    },
  });
  assert.equal(stderr, '');
  assert.equal(code, 0);
  assert.deepEqual(lines[0], { services: ['first', 'second'] });
  const named = sink.spans.map(({ resource, attributes }) => [
    resource['service.name'],
    attributes['task.name'],
  ]);
  assert.deepEqual(named, [
    ['first', 'first'],
    ['second', 'block'],
  ]);
  const heap = sink.metrics.filter(
    ({ name, resource }) => name === 'v8js.memory.heap.used' && resource['service.name'] === 'second',
  );
  const total = new Map<number, number>();
  for (const { timeMs, value } of heap) total.set(timeMs, (total.get(timeMs) ?? 0) + value);
  assert.ok(Math.max(...total.values()) > 40e6, 'the heap of the main thread is seen to grow');
  // Making so many objects may block for as long on a slow machine, and is no task's.
  const blocked = sink.logs.filter(
    ({ attributes }) => attributes['taskwarden.alert.name'] === 'TaskBlocksEventLoop',
  );
  assert.ok(blocked.some(({ attributes }) => attributes['task.name'] === 'block'));
});
