import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { BullMqClient, Call, Ready } from '../fixtures/bullmq/kit.ts';
import { lastPoints, linesOf, runFixture } from '../fixtures/bullmq/run.ts';
import type { ReceivedPoint, ReceivedSpan } from './otlp-items.ts';
import { type OtlpSink, startSink } from './otlp-sink.ts';
import { type RedisServer, startRedis } from './redis.ts';

const CONSUMER = 5;
const ERROR = 2;
/** Between a handler's clock and ours the process may be kept from running, s. Shorter than every delay here. */
const SLACK = 0.15;

/**
 * Every kind of job of a copy of BullMQ end to end, on one of its Redis clients.
 *
 * @param prepare brings a client that is no dependency; gives back what the program needs to find it
 */
export function bullmqKinds(
  library: 'bullmq5' | 'bullmq',
  client: BullMqClient,
  prepare: () => Readonly<Record<string, string>> = () => ({}),
): void {
  describe(`${library} on ${client}`, () => {
    let redis: RedisServer;
    let sink: OtlpSink;
    let calls: Call[];
    let ready: Map<string, number>;
    let states: Record<string, string>;

    before(async () => {
      [redis, sink] = await Promise.all([startRedis(), startSink()]);
      const ended = await runFixture('kinds.ts', sink, {
        redis,
        env: { ...prepare(), BULLMQ: library, BULLMQ_CLIENT: client },
      });
      assert.equal(ended.code, 0, ended.stderr);
      assert.equal(ended.stderr, '');
      const lines = linesOf<Call & Ready & { states: Record<string, string> }>(ended);
      states = lines.pop()!.states;
      ready = new Map(lines.flatMap((line) => (line.ready === undefined ? [] : [[line.ready, line.atMs]])));
      calls = lines.filter((line) => line.ready === undefined);
    });
    after(async () => {
      await Promise.all([redis.stop(), sink.down()]);
    });

    const spanOf = ({ queue, id, call }: Call): ReceivedSpan => {
      const found = sink.spans.filter(
        ({ attributes }) =>
          attributes['messaging.destination.name'] === queue &&
          attributes['messaging.message.id'] === id &&
          attributes['task.attempt'] === call,
      );
      assert.equal(found.length, 1, `spans of ${queue} ${id}, call ${call}`);
      return found[0]!;
    };
    const callsOf = (name: string): Call[] => calls.filter((call) => call.name === name);
    const waits = (name: string): unknown[] =>
      callsOf(name).map((call) => spanOf(call).attributes['task.wait.duration']);
    const points = (name: string, task: string): ReceivedPoint[] =>
      lastPoints(sink, name, { 'task.name': task });
    /** s from when the job said that it would be ready to its pick-up. */
    const sinceReady = ({ queue, id, call, processedOn }: Call): number =>
      (processedOn - ready.get(`${queue} ${id} ${call}`)!) / 1000;

    test('every call of a handler is one span by the messaging conventions', () => {
      assert.equal(sink.spans.length, calls.length);
      for (const call of calls) {
        const { name, kind, attributes, links, parentSpanId, startTimeMs, endTimeMs } = spanOf(call);
        assert.equal(name, `process ${call.queue}`);
        assert.equal(kind, CONSUMER);
        assert.equal(attributes['messaging.system'], 'bullmq');
        assert.equal(attributes['messaging.operation.name'], 'process');
        assert.equal(attributes['messaging.operation.type'], 'process');
        assert.equal(attributes['task.name'], call.name);
        assert.equal(parentSpanId, '');
        assert.deepEqual(links, []);
        assert.ok(startTimeMs >= call.processedOn - 2 && endTimeMs >= startTimeMs);
      }
    });

    test('the jobs ended as they do without Taskwarden', () => {
      const failed = Object.entries(states).flatMap(([job, state]) =>
        state === 'failed' ? [job.split(' ')[0]] : [],
      );
      assert.deepEqual(failed.sort(), ['final', 'unrecoverable']);
      const callCounts = Object.groupBy(calls, ({ name }) => name);
      assert.deepEqual(
        Object.fromEntries(Object.entries(callCounts).map(([name, of]) => [name, of?.length])),
        {
          plain: 1,
          prioritized: 1,
          delayed: 1,
          lifo: 1,
          bulk: 3,
          fixed: 3,
          exponential: 3,
          immediate: 2,
          unrecoverable: 1,
          final: 2,
          mover: 2,
          adopter: 2,
          adopted: 1,
          future: 1,
          tick: 2,
          limiter: 2,
          rated: 3,
          parent: 1,
          child: 2,
          stalled: 2,
        },
      );
    });

    test('a failed attempt has the status ERROR and its exception, a later success none', () => {
      const [first, second, third] = callsOf('fixed').map(spanOf);
      for (const [n, span] of [first!, second!].entries()) {
        assert.deepEqual(span.status, { code: ERROR, message: `fixed ${n + 1}` });
        assert.equal(span.attributes['error.type'], 'RangeError');
        assert.deepEqual(
          span.events.map(({ name, attributes }) => [
            name,
            attributes['exception.type'],
            attributes['exception.message'],
          ]),
          [['exception', 'RangeError', `fixed ${n + 1}`]],
        );
        assert.match(String(span.events[0]!.attributes['exception.stacktrace']), /kinds\.ts:\d+/);
      }
      assert.equal(third!.status.code, 0);
      assert.deepEqual(third!.events, []);
      assert.equal(spanOf(callsOf('unrecoverable')[0]!).attributes['error.type'], 'UnrecoverableError');
    });

    test('errors by which a handler moves its job are no failures', () => {
      for (const name of ['mover', 'limiter', 'adopter']) {
        for (const call of callsOf(name)) {
          const { status, attributes, events } = spanOf(call);
          assert.deepEqual([name, status.code, attributes['error.type'], events], [name, 0, undefined, []]);
        }
        const outcomes = points('task.runs', name).map(({ attributes, value }) => [
          attributes['task.outcome'],
          value,
        ]);
        assert.deepEqual(Object.fromEntries(outcomes), { success: 2, failure: 0 });
        assert.equal(points('task.retries', name)[0]!.value, 0);
      }
    });

    test('wait of a first attempt is from ready to picked up, a delay is none of it', () => {
      const first = calls.filter(({ call, name }) => call === 1 && !['parent', 'tick'].includes(name));
      for (const call of first) {
        const expected = Math.max(0, call.processedOn - call.timestamp - call.delay) / 1000;
        const wait = spanOf(call).attributes['task.wait.duration'] as number;
        assert.ok(Math.abs(wait - expected) < 1e-6, `${call.name}: ${wait} s, expected ${expected} s`);
      }
      assert.ok(first.some(({ delay }) => delay === 400));
    });

    test('a job of a scheduler waits from its time', () => {
      for (const call of callsOf('tick')) {
        const due = Number(call.id.split(':').at(-1));
        const expected = Math.max(0, call.processedOn - due) / 1000;
        const wait = spanOf(call).attributes['task.wait.duration'] as number;
        assert.ok(Math.abs(wait - expected) < 0.02, `${wait} s, expected ${expected} s`);
      }
    });

    test('a job from the future has waited 0', () => {
      assert.deepEqual(waits('future'), [0]);
    });

    test('a rate limit is a wait', () => {
      const [first, second, third] = (waits('rated') as number[]).sort((a, b) => a - b);
      assert.ok(second! - first! > 0.05 && third! - second! > 0.05, `${first}, ${second}, ${third} s`);
    });

    test('wait of a retry is from the end of its backoff', () => {
      for (const name of ['fixed', 'exponential', 'immediate', 'final', 'limiter']) {
        for (const call of callsOf(name).slice(1)) {
          const wait = spanOf(call).attributes['task.wait.duration'] as number;
          const expected = sinceReady(call);
          assert.ok(
            Math.abs(wait - expected) < SLACK,
            `${name} ${call.call}: ${wait} s, expected ${expected} s`,
          );
        }
      }
      const histograms = points('task.wait.duration', 'fixed');
      assert.deepEqual(
        Object.fromEntries(histograms.map(({ attributes, count }) => [attributes['task.retry'], count])),
        { false: 1, true: 2 },
      );
    });

    test('a job that moved itself to a later time waits from then', () => {
      const [, second] = callsOf('mover');
      const wait = spanOf(second!).attributes['task.wait.duration'] as number;
      // Ours begins with the error, which comes after an answer of Redis.
      assert.ok(wait >= 0 && wait <= sinceReady(second!) + 0.01, `${wait} s`);
    });

    test('the parent of a flow waits from the end of its last child', () => {
      const [parent] = callsOf('parent');
      const wait = spanOf(parent!).attributes['task.wait.duration'] as number;
      assert.ok(Math.abs(wait - sinceReady(parent!)) < SLACK, `${wait} s, expected ${sinceReady(parent!)} s`);
    });

    test('a wait that nobody knows is left out', () => {
      assert.equal(waits('stalled')[1], undefined);
      assert.equal(waits('adopter')[1], undefined);
    });

    test('payload size is that of the stored text', () => {
      const size = JSON.stringify({ text: 'x'.repeat(1000) }).length;
      assert.equal(spanOf(callsOf('plain')[0]!).attributes['messaging.message.body.size'], size);
      assert.equal(points('task.payload.size', 'plain')[0]!.value, size);
    });

    test('metrics count what spans show', () => {
      for (const [name, success, failure, retries] of [
        ['plain', 1, 0, 0],
        ['bulk', 3, 0, 0],
        ['fixed', 1, 2, 2],
        ['final', 0, 2, 1],
        ['stalled', 2, 0, 0],
      ] as const) {
        const outcomes = points('task.runs', name).map(({ attributes, value }) => [
          attributes['task.outcome'],
          value,
        ]);
        assert.deepEqual([name, Object.fromEntries(outcomes)], [name, { success, failure }]);
        const consumed = points('messaging.client.consumed.messages', name);
        assert.equal(consumed[0]!.value, success + failure);
        assert.deepEqual([name, points('task.retries', name)[0]!.value], [name, retries]);
      }
    });
  });
}
