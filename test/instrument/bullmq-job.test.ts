import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DelayedError, RateLimitError, UnrecoverableError, WaitingChildrenError, WaitingError } from 'bullmq';
import {
  attemptOf,
  carrierOf,
  isFailure,
  isRetry,
  isWaitingChildren,
  type JobFields,
  ReadyTimes,
  waitMs,
} from '../../src/instrument/bullmq-job.ts';

const job = (over: Partial<JobFields> = {}): JobFields => ({
  id: '1',
  name: 'send',
  timestamp: 10_000,
  processedOn: 10_500,
  attemptsStarted: 1,
  opts: {},
  ...over,
});

test('a first attempt has waited since it was due', () => {
  assert.equal(waitMs(job(), undefined), 500);
  assert.equal(waitMs(job({ opts: { delay: 300 } }), undefined), 200);
  assert.equal(waitMs(job({ attemptsStarted: 0 }), undefined), 500, 'BullMQ 5 before it counted claims');
  assert.equal(waitMs(job({ timestamp: 11_000 }), undefined), -500, 'clock skew, which the run makes 0');
});

test('a wait that cannot be told is undefined', () => {
  const { processedOn: _, ...unknown } = job();
  assert.equal(waitMs(unknown, undefined), undefined);
  assert.equal(waitMs(job({ attemptsStarted: 2 }), undefined), undefined, 'failed elsewhere');
  assert.equal(waitMs(job({ stalledCounter: 1 }), undefined), undefined, 'nobody notes when a job stalls');
  assert.equal(waitMs(job({ opts: { delay: 60_000 } }), undefined), undefined, 'promoted before its time');
});

test('a retry has waited since the end of its backoff, which counts for that attempt alone', () => {
  const ready = { attempt: 2, atMs: 10_400 };
  assert.equal(waitMs(job({ attemptsStarted: 2 }), ready), 100);
  assert.equal(waitMs(job({ attemptsStarted: 3 }), ready), undefined, 'the second attempt ran elsewhere');
  assert.equal(
    waitMs(job({ attemptsStarted: 2, opts: { delay: 300 } }), ready),
    100,
    'its delay is long over',
  );
});

test('the parent of a flow has waited since its last child, and for its own delay since then', () => {
  const ready = { attempt: 1, atMs: 10_100 };
  assert.equal(waitMs(job({ timestamp: 0 }), ready), 400);
  assert.equal(waitMs(job({ timestamp: 0, opts: { delay: 300 } }), ready), 100);
});

test('the number of an attempt is the number of claims where that is known', () => {
  assert.equal(attemptOf({ attemptsStarted: 3, attemptsMade: 1 }), 3);
  assert.equal(attemptOf({ attemptsMade: 1 }), 2);
  assert.equal(attemptOf({}), 1);
});

test('a run is a retry where an attempt has ended before, not where the job was moved or has stalled', () => {
  assert.equal(isRetry(job({ attemptsStarted: 2, attemptsMade: 1 })), true);
  assert.equal(
    isRetry(job({ attemptsStarted: 5, attemptsMade: 0 })),
    false,
    'four moves to a later time, or stalls',
  );
  assert.equal(isRetry({}), false);
});

test('what is known of coming attempts is bounded, the oldest goes first', () => {
  const times = new ReadyTimes(2);
  for (const key of ['a', 'b', 'a', 'c']) times.set(key, { attempt: 2, atMs: 1 });
  assert.equal(times.take('b'), undefined, '"a" was renewed after "b"');
  assert.deepEqual(times.take('a'), { attempt: 2, atMs: 1 });
  assert.equal(times.take('a'), undefined, 'once');
});

test("the producer's context is read as BullMQ stores it", () => {
  assert.deepEqual(carrierOf({ telemetry: { metadata: '{"traceparent":"x"}' } }), { traceparent: 'x' });
  assert.deepEqual(carrierOf({ tm: '{"traceparent":"x"}' }), { traceparent: 'x' });
  for (const odd of [undefined, 'text', {}, { tm: '{' }, { tm: 'null' }, { tm: '5' }]) {
    assert.equal(carrierOf(odd), undefined);
  }
});

test('errors by which a handler speaks to BullMQ, and no others', () => {
  class Later extends DelayedError {}
  const named = Object.assign(new Error('x'), { name: 'WaitingError' });
  for (const error of [
    new DelayedError(),
    new WaitingError(),
    new WaitingChildrenError(),
    new RateLimitError(),
    new Later(),
    named,
  ]) {
    assert.equal(!isFailure(error), true, error.name);
  }
  const hostile = new Proxy(
    {},
    {
      get() {
        throw new Error('not even its name');
      },
    },
  );
  for (const error of [
    hostile,
    new UnrecoverableError(),
    new RateLimitError('a text of its own: BullMQ goes by the message, and fails the job'),
    new Error('x'),
    Object.create(null),
    'DelayedError',
    null,
    undefined,
  ]) {
    assert.equal(!isFailure(error), false);
  }
  assert.equal(isWaitingChildren(new WaitingChildrenError()), true);
  assert.equal(isWaitingChildren(new DelayedError()), false);
  for (const odd of [null, undefined, 5, hostile]) assert.equal(isWaitingChildren(odd), false);
});
