import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, beforeEach, test } from 'node:test';
import { endPrograms, hurried, type Program, startProgram } from '../fixtures/faults/program.ts';
import { type Fault, type OtlpSink, startSink } from '../helpers/otlp-sink.ts';

/** What the agent holds back at most, spans: its queue, and two requests on their way. */
const MOST_HELD = 16_384 + 2 * 1024;
const sink = await startSink();

after(async () => {
  endPrograms();
  await sink.down();
});
beforeEach(async () => {
  await sink.down();
  sink.clear();
  sink.fault = {};
});

const start = (): Program =>
  startProgram('steady.ts', {
    env: hurried(sink.url),
  });

async function upWith(fault: Fault): Promise<void> {
  sink.fault = fault;
  await sink.up();
}

const answered = (status: number) => (from: OtlpSink) =>
  from.requests.some(
    (request) => request.status === status && request.signal === 'logs' && request.size > 500,
  );

function last(name: string, attributes: object = {}): number | undefined {
  return sink.metrics.findLast(
    (point) =>
      point.name === name &&
      Object.entries(attributes).every(([key, value]) => point.attributes[key] === value),
  )?.value;
}

/** What was held back during an outage arrives when it is over. */
async function recovers(program: Program, ran: number): Promise<void> {
  const alert = await sink.waitFor(
    ({ logs }) => logs.find(({ attributes }) => attributes['taskwarden.alert.name'] === 'SomethingRan'),
    20_000,
  );
  assert.equal(alert.attributes['taskwarden.alert.state'], 'firing');
  await sink.waitFor(() =>
    sink.metrics.some(({ name, value }) => name === 'taskwarden.export.failures' && value > 0),
  );
  // The agent's thread may get too little of a busy machine to take every run.
  const notTaken = () => last('taskwarden.records.dropped', { reason: 'ring_full' }) ?? 0;
  const runs = (task: string, outcome: string) =>
    last('task.runs', { 'task.name': task, 'task.outcome': outcome }) ?? 0;
  const succeeded = () => runs('double', 'success');
  await sink.waitFor(() => succeeded() + runs('refuse', 'failure') + notTaken() === ran);
  assert.ok(notTaken() > 0 || succeeded() === 0.9 * ran, `${succeeded()} of ${ran}`);
  const dropped = () => last('taskwarden.telemetry.dropped', { signal: 'traces', reason: 'queue_full' }) ?? 0;
  await sink.waitFor(() => sink.spans.length + dropped() + notTaken() === ran, 20_000);
  program.tell('end');
  const { code, lines, stderr } = await program.ended;
  assert.equal(code, 0);
  assert.equal(stderr, '');
  assert.ok(lines.every(({ wrong = 0 }) => wrong === 0));
  assert.equal(new Set(sink.spans.map(({ spanId }) => spanId)).size, sink.spans.length, 'none comes twice');
}

test('an endpoint that answers 503: jobs run on, what does not fit is counted, the rest arrives afterwards', async () => {
  await upWith({ status: 503 });
  const program = start();
  const ran = 20_000;
  program.tell(`run ${ran}`);
  assert.deepEqual(await program.line('ran'), { ran, wrong: 0 });
  await sink.waitFor(answered(503));
  assert.equal(sink.spans.length + sink.metrics.length + sink.logs.length, 0);
  sink.fault = {};
  await recovers(program, ran);
  const dropped = last('taskwarden.telemetry.dropped', { signal: 'traces', reason: 'queue_full' });
  assert.ok(dropped! >= ran - MOST_HELD, `${dropped} dropped`);
  assert.ok(sink.spans.length <= MOST_HELD, `${sink.spans.length} spans were held`);
});

/** Nobody takes requests at the sink's port, until the agent has tried so often. */
async function hangUpOn(attempts: number): Promise<void> {
  let seen = 0;
  const enough = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    socket.on('error', () => {}).resetAndDestroy();
    if (++seen >= attempts) enough.resolve();
  });
  await once(server.listen(sink.port, '127.0.0.1'), 'listening');
  await enough.promise;
  await once(server.close(), 'close');
}

test('an endpoint that is not there at the start', async () => {
  const program = start();
  program.tell('run 500');
  assert.deepEqual(await program.line('ran'), { ran: 500, wrong: 0 });
  await hangUpOn(3);
  await upWith({});
  await recovers(program, 500);
  assert.equal(sink.spans.length, 500);
});

test('an endpoint that goes away and comes back', async () => {
  await upWith({});
  const program = start();
  await program.line('started');
  await sink.waitFor(({ metrics }) => metrics.length > 0);
  await sink.down();
  program.tell('run 500');
  assert.deepEqual(await program.line('ran'), { ran: 500, wrong: 0 });
  await hangUpOn(3);
  await upWith({});
  await recovers(program, 500);
  assert.equal(sink.spans.length, 500);
});

test('an endpoint that takes the request and does not answer: no job waits, nor does the end for more than its second', async () => {
  await upWith({ delayMs: 60_000 });
  const program = start();
  program.tell('run 500');
  assert.deepEqual(await program.line('ran'), { ran: 500, wrong: 0 });
  program.tell('end');
  const { code, lines, stderr } = await program.ended;
  assert.equal(code, 0);
  assert.equal(stderr, '');
  const exitMs = lines.at(-1)?.exitMs as number;
  assert.ok(exitMs < 1500, `the flush took ${exitMs} ms`);
  await sink.down();
  await sink.up();
});
