import assert from 'node:assert/strict';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { mock, test } from 'node:test';
import { createGuard } from '../../src/agent/guard.ts';
import { inStateFolder } from '../../src/agent/state-files.ts';
import { warnOnStderr } from '../../src/model/stderr.ts';
import { countOf, metricValue, newRegistry } from './parts.ts';

function setup() {
  const registry = newRegistry();
  const told: string[] = [];
  const clock = { ms: 0 };
  const guard = createGuard(
    registry,
    (text) => told.push(text),
    () => clock.ms,
  );
  return { registry, told, guard, clock };
}

const fail = (text: string) => (): never => {
  throw new Error(text);
};

test('what a part gives back passes', async () => {
  const { guard, registry } = setup();
  assert.equal(
    guard('a', () => 3),
    3,
  );
  assert.equal(await guard('a', async () => 4), 4);
  assert.equal(countOf(registry, 'taskwarden.errors'), 0);
});

test('every fault is counted by its part, and each part is told of once an hour, with its stack', () => {
  const { guard, registry, told, clock } = setup();
  for (let n = 0; n < 3; n++) assert.equal(guard('a', fail(`first ${n}`)), undefined);
  guard('b', fail('second'));
  assert.equal(metricValue(registry, 'taskwarden.errors', { part: 'a' }), 3);
  assert.equal(metricValue(registry, 'taskwarden.errors', { part: 'b' }), 1);
  assert.equal(told.length, 2);
  assert.match(told[0]!, /^fault in a, jobs are not affected: Error: first 0\n\s+at /);
  assert.match(told[1]!, /^fault in b/);
  clock.ms = 3_599_999;
  guard('a', fail('too early'));
  clock.ms = 3_600_000;
  guard('a', fail('an hour later'));
  assert.equal(told.length, 3);
  assert.match(told[2]!, /an hour later/);
});

test('that the state folder cannot be used is no fault, and told once for all that need it', () => {
  const { guard, registry, told } = setup();
  for (const part of ['recorder', 'alert state', 'aftermath'])
    for (const code of ['EROFS', 'EACCES'])
      guard(part, () =>
        inStateFolder(() => {
          throw Object.assign(new Error(`${code}: not today`), { code });
        }),
      );
  assert.equal(countOf(registry, 'taskwarden.errors'), 0);
  assert.equal(told.length, 1);
  assert.match(told[0]!, /^EROFS: not today: runs in flight do not outlive .*TASKWARDEN_STATE_DIR[^\n]+$/);
});

test('a disk that is full is a fault', () => {
  const { guard, registry } = setup();
  guard('recorder', () =>
    inStateFolder(() => {
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    }),
  );
  assert.equal(metricValue(registry, 'taskwarden.errors', { part: 'recorder' }), 1);
});

test('a promise that is rejected is a fault, not an unhandled rejection', async () => {
  const { guard, registry, told } = setup();
  const unhandled: unknown[] = [];
  const listen = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', listen);
  const awaited = guard('a', () => Promise.reject<string>(new Error('later')));
  assert.equal(await awaited, undefined, 'whoever waits goes on');
  await new Promise((later) => setTimeout(later, 5));
  process.off('unhandledRejection', listen);
  assert.deepEqual(unhandled, []);
  assert.equal(metricValue(registry, 'taskwarden.errors', { part: 'a' }), 1);
  assert.equal(told.length, 1);
});

test('anything may be thrown', () => {
  const { guard, told } = setup();
  for (const [at, thrown] of [undefined, null, 'text', 7, { a: 1 }].entries())
    guard(`part ${at}`, () => {
      throw thrown;
    });
  assert.deepEqual(
    told.map((text) => text.replace('jobs are not affected: ', '')),
    ['undefined', 'null', 'text', '7', '[object Object]'].map((text, at) => `fault in part ${at}, ${text}`),
  );
});

test('standard error is written to at once, and one that nobody reads is no fault', () => {
  const written: unknown[][] = [];
  const write = mock.method(fs, 'writeSync', (...args: unknown[]) => written.push(args));
  syncBuiltinESMExports();
  try {
    warnOnStderr('a text');
    write.mock.mockImplementation(() => {
      throw new Error('EPIPE');
    });
    assert.doesNotThrow(() => warnOnStderr('another'));
  } finally {
    mock.restoreAll();
    syncBuiltinESMExports();
  }
  assert.deepEqual(written, [[2, 'taskwarden: a text\n']]);
});
