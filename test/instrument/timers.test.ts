import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import timers, * as named from 'node:timers';
import promises from 'node:timers/promises';
import { promisify } from 'node:util';
import { watchTimers } from '../../src/instrument/timers.ts';
import { mainSide, runInfo } from '../helpers/main-side.ts';

const native = { setTimeout, setInterval, promise: promises.setTimeout };
const { tasks } = mainSide();
let seen: { task: string; timer: { _destroyed: boolean } }[] = [];
let stop: () => void;

beforeEach(() => {
  seen = [];
  stop = watchTimers({
    graceMs: 1000,
    opened: (run, timer) => seen.push({ task: run.task, timer: timer as { _destroyed: boolean } }),
  });
});
afterEach(() => stop());

const within = <T>(task: string, call: () => T): T => tasks.run(() => runInfo({ task }), call);
const tasksSeen = (): string[] => seen.map(({ task }) => task);

test('timers that can outlive a run are told of, with the run that made them', () => {
  const made = within('poll', () => [
    setInterval(() => {}, 5),
    setTimeout(() => {}, 5000),
    setTimeout(() => {}, '5000' as never),
    timers.setInterval(() => {}, 1e6),
    named.setTimeout(() => {}, 1e6),
  ]);
  assert.deepEqual(tasksSeen(), ['poll', 'poll', 'poll', 'poll', 'poll']);
  assert.deepEqual(
    seen.map(({ timer }) => timer),
    made,
  );
  assert.ok(seen.every(({ timer }) => timer._destroyed === false));
  for (const timer of made) clearTimeout(timer);
  assert.ok(seen.every(({ timer }) => timer._destroyed === true));
});

test('short ones, and those outside of runs, are not', () => {
  const made = [setInterval(() => {}, 5), setTimeout(() => {}, 1e6)];
  within('quick', () => {
    made.push(setTimeout(() => {}, 1000));
    made.push(setTimeout(() => {}));
    made.push(setTimeout(() => {}, 1e300));
    made.push(setTimeout(() => {}, Number.NaN));
  });
  for (const timer of made) clearTimeout(timer);
  assert.deepEqual(tasksSeen(), []);
});

test('promised timers are told of, too', async () => {
  const aborted = new AbortController();
  const waits = within('races', () => [
    promises.setTimeout(1e6, undefined, { signal: aborted.signal }),
    promisify(setTimeout)(1e6, undefined, { signal: aborted.signal }),
    promises.setTimeout(1),
  ]);
  assert.deepEqual(tasksSeen(), ['races', 'races']);
  assert.equal(await promisify(setTimeout)(1, 'value'), 'value');
  await waits[2];
  aborted.abort();
  for (const wait of waits.slice(0, 2)) await assert.rejects(wait!, { name: 'AbortError' });
  assert.ok(seen.every(({ timer }) => timer._destroyed));
});

test('any timer counts that detached work makes after the end of its run', async () => {
  let end!: () => void;
  const ended = new Promise<void>((done) => (end = done));
  let again!: Promise<NodeJS.Timeout>;
  within('loop', () => {
    again = ended.then(() => setTimeout(() => {}, 1));
  });
  end();
  const timer = await again;
  assert.deepEqual(seen, [{ task: 'loop', timer }]);
});

test('functions look as they did, and come back', async () => {
  for (const [name, original] of [
    ['setTimeout', native.setTimeout],
    ['setInterval', native.setInterval],
  ] as const) {
    const replaced = globalThis[name];
    assert.notEqual(replaced, original);
    assert.equal(replaced, timers[name]);
    assert.equal(replaced.name, name);
    assert.equal(replaced.length, original.length);
    assert.equal(replaced[promisify.custom as never], original[promisify.custom as never] && promises[name]);
    const { enumerable, writable, configurable } = Object.getOwnPropertyDescriptor(globalThis, name)!;
    assert.deepEqual([enumerable, writable, configurable], [true, true, true]);
  }
  assert.equal(named.setTimeout, globalThis.setTimeout);
  assert.throws(() => setTimeout('not a function' as never, 1), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.throws(() => within('bad', () => setTimeout('not a function' as never, 1e5)), TypeError);
  const args = await new Promise((done) => setTimeout((...all: unknown[]) => done(all), 1, 'a', 'b'));
  assert.deepEqual(args, ['a', 'b']);
  stop();
  assert.equal(globalThis.setTimeout, native.setTimeout);
  assert.equal(timers.setInterval, native.setInterval);
  assert.equal(named.setInterval, native.setInterval);
  assert.equal(promises.setTimeout, native.promise);
  stop = watchTimers({ graceMs: 1000, opened() {} });
});

test('who replaces them later keeps what they have made of them', () => {
  const ours = globalThis.setTimeout;
  const theirs = Object.assign((...args: Parameters<typeof ours>) => ours(...args), { mine: true });
  globalThis.setTimeout = theirs as never;
  try {
    const timer = within('faked', () => setTimeout(() => {}, 1e5));
    clearTimeout(timer);
    assert.deepEqual(tasksSeen(), ['faked']);
    stop();
    assert.equal(globalThis.setTimeout, theirs);
  } finally {
    globalThis.setTimeout = native.setTimeout;
    stop = () => {};
  }
});
