import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, Delivery, type Outbox, type Outcome, type Request } from '../../src/alerts/delivery.ts';
import { outgoing } from '../../src/alerts/outgoing.ts';
import { transition } from './transitions.ts';

const ALERT = outgoing(transition(), { labels: {}, externalUrl: '', fingerprint: () => 'a' });

/** First in, first out. */
class Queue implements Outbox {
  readonly requests: Request[] = [];
  get size(): number {
    return this.requests.length;
  }
  take(): Request | undefined {
    return this.requests.shift();
  }
  giveBack(request: Request): void {
    this.requests.unshift(request);
  }
}

type Reply = number | { status: number; retryAfterMs: number; body?: string } | Error;

/** A delivery to a server that gives these answers in turn, the last of them from then on. */
function setup(
  replies: Reply[],
  over: { firstRetryMs?: number; maxRetryMs?: number; now?: () => number } = {},
) {
  const outbox = new Queue();
  const sent: string[] = [];
  const outcomes: Partial<Record<Outcome, number>> = {};
  const failures: string[] = [];
  const watchers: (() => void)[] = [];
  const delivery = new Delivery({
    outbox,
    async post(body): Promise<Answer> {
      sent.push(body);
      const reply = (replies.length > 1 ? replies.shift() : replies[0])!;
      if (reply instanceof Error) throw reply;
      const {
        status,
        retryAfterMs = undefined,
        body: text = '',
      } = typeof reply === 'number' ? { status: reply } : reply;
      return { status, statusText: 'Text', body: Buffer.from(text), retryAfterMs };
    },
    firstRetryMs: 1,
    maxRetryMs: 4,
    now: () => performance.now(),
    onOutcome(outcome, count) {
      outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
      for (const look of watchers) look();
    },
    onFailure: ({ message }) => failures.push(message),
    ...over,
  });
  const send = (body: string, alerts = 1): void => {
    outbox.requests.push({ alerts: Array(alerts).fill(ALERT), body: () => body });
    delivery.poke();
  };
  const until = (outcome: Outcome, count: number): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if ((outcomes[outcome] ?? 0) >= count) resolve();
      };
      watchers.push(look);
      look();
    });
  return { outbox, sent, outcomes, failures, delivery, send, until };
}

/** The timers of a delivery keep no process alive. */
const alive = setInterval(() => {}, 1000);
test.after(() => clearInterval(alive));

test('requests go one after the other, in order', async () => {
  const { send, sent, until, outcomes } = setup([200]);
  send('a', 2);
  send('b');
  send('c');
  await until('sent', 4);
  assert.deepEqual([sent, outcomes], [['a', 'b', 'c'], { sent: 4 }]);
});

test('5xx, 408, 429 and no answer are tried again until they are taken', async () => {
  const { send, sent, until, outcomes, failures } = setup([500, new Error('ECONNREFUSED'), 408, 429, 200]);
  send('a', 3);
  send('b');
  await until('sent', 4);
  assert.deepEqual(sent, ['a', 'a', 'a', 'a', 'a', 'b']);
  assert.deepEqual(outcomes, { retried: 12, sent: 4 });
  assert.deepEqual(failures, ['HTTP 500 Text', 'ECONNREFUSED', 'HTTP 408 Text', 'HTTP 429 Text']);
});

test('any other answer is never tried again', async () => {
  for (const status of [301, 400, 401, 404, 413, 422]) {
    const { send, sent, until, outcomes } = setup([status, 200]);
    send('a', 2);
    send('b');
    await until('sent', 1);
    assert.deepEqual([sent, outcomes], [['a', 'b'], { rejected: 2, sent: 1 }], String(status));
  }
});

test('pauses double up to the longest, less up to half by chance', async (t) => {
  const { send, delivery } = setup([500], { firstRetryMs: 1000, maxRetryMs: 5000 });
  const pauses: number[] = [];
  const now = new Promise((resolve) => setImmediate(resolve));
  t.mock.method(globalThis, 'setTimeout', (run: () => void, ms: number) => {
    pauses.push(ms);
    if (pauses.length < 8) setImmediate(run);
    return { unref: () => {}, ref: () => {} };
  });
  send('a');
  await now;
  while (pauses.length < 8) await new Promise((resolve) => setImmediate(resolve));
  for (const [index, most] of [1000, 2000, 4000, 5000, 5000, 5000, 5000, 5000].entries())
    assert.ok(pauses[index]! >= most / 2 && pauses[index]! <= most, `${pauses}`);
  assert.ok(delivery);
});

test('a server that asks for a pause gets it, within bounds', async (t) => {
  for (const [status, asked, given] of [
    [503, 7000, 7000],
    [429, 7000, 7000],
    [503, 3_600_000, 10_000],
  ] as const) {
    const pauses: number[] = [];
    const { send, delivery, sent } = setup([{ status, retryAfterMs: asked }], {
      firstRetryMs: 1000,
      maxRetryMs: 5000,
      now: () => 1e9,
    });
    const mock = t.mock.method(globalThis, 'setTimeout', (_run: () => void, ms: number) => {
      pauses.push(ms);
      return { unref: () => {} };
    });
    send('a');
    await new Promise((resolve) => setImmediate(resolve));
    delivery.poke();
    await new Promise((resolve) => setImmediate(resolve));
    mock.mock.restore();
    assert.deepEqual([pauses, sent.length], [[given], 1]);
  }
});

test('what is new does not wait for the end of a long pause', async () => {
  let now = 0;
  const { send, sent, until } = setup([new Error('down'), 200], {
    firstRetryMs: 3_600_000,
    maxRetryMs: 3_600_000,
    now: () => now,
  });
  send('a');
  await until('retried', 1);
  send('b');
  assert.deepEqual(sent, ['a'], 'a second has not passed');
  now = 1000;
  send('c');
  await until('sent', 3);
  assert.deepEqual(sent, ['a', 'a', 'b', 'c']);
});

test('a flush tries twice, and does not wait longer than it may', async () => {
  const down = setup([new Error('down')], { firstRetryMs: 3_600_000, maxRetryMs: 3_600_000 });
  down.send('a');
  await down.until('retried', 1);
  await down.delivery.flush(60_000);
  assert.deepEqual([down.sent, down.outbox.size], [['a', 'a', 'a'], 1]);

  const back = setup([new Error('down'), 500, 200], { firstRetryMs: 3_600_000, maxRetryMs: 3_600_000 });
  back.send('a');
  await back.until('retried', 1);
  await back.delivery.flush(60_000);
  assert.deepEqual(back.outcomes, { retried: 2, sent: 1 });

  const idle = setup([200]);
  await idle.delivery.flush(60_000);
  assert.equal(idle.sent.length, 0);
});

test('a flush of a server that does not answer ends in time', async () => {
  let posts = 0;
  const outbox = new Queue();
  const delivery = new Delivery({
    outbox,
    post: () => {
      posts++;
      return new Promise(() => {});
    },
    firstRetryMs: 1,
    maxRetryMs: 1,
    now: () => 0,
    onOutcome: assert.fail,
    onFailure: assert.fail,
  });
  outbox.requests.push({ alerts: [ALERT], body: () => 'a' });
  await delivery.flush(20);
  assert.equal(posts, 1);
});

test('what a server says of an error is one short line', async () => {
  const text = `bad\r\n\u001b[31mlabel ${'x'.repeat(1000)}`;
  const { send, until, failures } = setup([{ status: 400, retryAfterMs: 0, body: text }]);
  send('a');
  await until('rejected', 1);
  assert.match(failures[0]!, /^HTTP 400 Text: bad \[31mlabel x+$/);
  assert.ok(failures[0]!.length < 330);
});
