import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { after, before, beforeEach, test } from 'node:test';
import type { BreakerRow } from '../../src/bridge/protocol.ts';
import type { Host } from '../../src/instrument/host.ts';
import { patchBreaker } from '../../src/instrument/opossum.ts';
import { Breakers } from '../../src/tasks/breakers.ts';
import { stayAwake } from '../helpers/awake.ts';

stayAwake();

interface Breaker extends EventEmitter {
  fire(...args: unknown[]): Promise<unknown>;
  fallback(make: () => unknown): void;
  open(): void;
  close(): void;
  shutdown(): void;
}
// The package has no types.
const CircuitBreaker = createRequire(import.meta.url)('opossum') as new (
  action: (...args: never[]) => unknown,
  options?: object,
) => Breaker;

let breakers: Breakers;
let undo: () => void;
before(() => {
  breakers = new Breakers(2);
  undo = patchBreaker(CircuitBreaker, { breakers } as unknown as Host);
});
after(() => undo());
const made: Breaker[] = [];
beforeEach(() => {
  for (const breaker of made.splice(0)) breaker.shutdown();
  told();
  breakers = new Breakers(2);
  undo();
  undo = patchBreaker(CircuitBreaker, { breakers } as unknown as Host);
});

function make(action: (...args: never[]) => unknown, options: object = {}): Breaker {
  const breaker = new CircuitBreaker(action, { name: 'mail', group: 'out', ...options });
  made.push(breaker);
  return breaker;
}

/** What is handed over, from now on. */
function told(): BreakerRow[] {
  const rows: BreakerRow[] = [];
  const outbox = { breaker: (row: BreakerRow) => rows.push(structuredClone(row)) > 0 };
  breakers.flush(outbox as never);
  return rows;
}

const answer = async (): Promise<string> => 'done';
const fail = async (): Promise<never> => {
  throw new Error('down');
};
/** States closed, open, half-open; calls success, failure, timeout, rejected, overloaded. */
const row = (states: number[], calls: number[], openings = 0, fallbacks = 0): BreakerRow => ({
  name: 'mail',
  group: 'out',
  states,
  calls,
  openings,
  fallbacks,
});

test('a breaker is there, closed, before its first call', () => {
  make(answer);
  assert.deepEqual(told(), [row([1, 0, 0], [0, 0, 0, 0, 0])]);
});

test('successes, failures, its opening and what it rejects then', async () => {
  const breaker = make((fails: boolean) => (fails ? fail() : answer()), {
    errorThresholdPercentage: 40,
    volumeThreshold: 2,
  });
  assert.equal(await breaker.fire(false), 'done');
  await assert.rejects(breaker.fire(true), /down/);
  assert.deepEqual(told(), [row([0, 1, 0], [1, 1, 0, 0, 0], 1)]);
  await assert.rejects(breaker.fire(false), /open/);
  assert.deepEqual(told(), [row([0, 0, 0], [0, 0, 0, 1, 0])]);
  breaker.close();
  assert.deepEqual(told(), [row([1, -1, 0], [0, 0, 0, 0, 0])]);
  breaker.shutdown();
  assert.deepEqual(told(), [row([-1, 0, 0], [0, 0, 0, 0, 0])]);
});

test('half open, and closed by a success', async () => {
  let isDown = true;
  const breaker = make(() => (isDown ? fail() : answer()), { resetTimeout: 1 });
  await assert.rejects(breaker.fire());
  await new Promise((halfOpen) => breaker.once('halfOpen', halfOpen));
  assert.deepEqual(told(), [row([0, 0, 1], [0, 1, 0, 0, 0], 1)]);
  isDown = false;
  await breaker.fire();
  assert.deepEqual(told(), [row([1, 0, -1], [1, 0, 0, 0, 0])]);
});

test('a timeout, and a call for which there is no capacity, are no failures as well', async () => {
  const slow = make(() => new Promise(() => {}), { timeout: 5, capacity: 1, volumeThreshold: 10 });
  const first = slow.fire();
  await assert.rejects(slow.fire(), /Semaphore/);
  await assert.rejects(first, /Timed out/);
  assert.deepEqual(told(), [row([1, 0, 0], [0, 0, 1, 0, 1])]);
});

test('what its filter lets pass is a success, and a fallback counts beside the failure', async () => {
  const filtered = make(fail, { errorFilter: () => true });
  await assert.rejects(filtered.fire());
  assert.deepEqual(told(), [row([1, 0, 0], [1, 0, 0, 0, 0])]);
  const breaker = make(fail, { volumeThreshold: 10 });
  breaker.fallback(() => 'instead');
  assert.equal(await breaker.fire(), 'instead');
  assert.deepEqual(told(), [row([1, 0, 0], [0, 1, 0, 0, 0], 0, 1)]);
});

test('breakers of one name are added up, and names over the limit are one', () => {
  make(answer);
  make(answer);
  make(answer, { name: 'b' });
  make(answer, { name: 'c' });
  make(answer, { name: 'd' });
  const states = told().map(({ name, group, states: [closed] }) => `${name} ${group} ${closed}`);
  assert.deepEqual(states.sort(), ['b out 1', 'mail out 2', 'other other 2']);
});

test('a breaker has no listener more than it would have, and its class no method after the end', () => {
  const watched = make(answer);
  undo();
  const plain = make(answer);
  assert.deepEqual(
    watched.eventNames().map((name) => watched.listenerCount(name)),
    plain.eventNames().map((name) => plain.listenerCount(name)),
  );
  assert.equal(watched.emit, EventEmitter.prototype.emit);
  assert.equal(watched.on, EventEmitter.prototype.on);
});

test('a breaker that cannot be read works as ever', async () => {
  class Odd extends CircuitBreaker {
    get name(): string {
      throw new Error('no name');
    }
  }
  const odd = new Odd(answer);
  made.push(odd);
  assert.equal(await odd.fire(), 'done');
});
