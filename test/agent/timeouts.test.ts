import assert from 'node:assert/strict';
import { test } from 'node:test';
import { taskAttributes } from '../../src/agent/ingest.ts';
import { Timeouts } from '../../src/agent/timeouts.ts';
import type { ActiveRun } from '../../src/bridge/inbox.ts';
import type { MetricName } from '../../src/model/metrics.ts';
import { Registry } from '../../src/store/registry.ts';
import { inFlight, MAIL, record } from './parts.ts';

function watched(options = { factor: 5, runs: 100, floor: 1000 }) {
  const registry = new Registry(0, { maxSeriesPerMetric: 100 });
  const timeouts = new Timeouts(registry, options);
  const value = (name: MetricName, more: Record<string, string> = {}) =>
    registry.value(name, { ...taskAttributes(MAIL), ...more });
  return {
    ended: (count: number, durationMs: number) => {
      for (let i = 0; i < count; i++) timeouts.run(record({ durationMs }));
    },
    now: (runs: Partial<ActiveRun>[], lagMs = 0) => {
      timeouts.compare(runs.map(inFlight), lagMs);
      return {
        p99: value('task.duration.learnt.p99'),
        overdue: value('task.overdue'),
        learnt: value('task.deadline.ratio', { 'task.deadline.source': 'learnt' }),
        library: value('task.deadline.ratio', { 'task.deadline.source': 'library' }),
        expired: value('task.lock.expired'),
      };
    },
  };
}

const NOTHING = {
  p99: undefined,
  overdue: undefined,
  learnt: undefined,
  library: undefined,
  expired: undefined,
};

test('nothing is said before enough runs have ended', () => {
  const { ended, now } = watched();
  ended(99, 10);
  assert.deepEqual(now([{ ageMs: 3_600_000 }]), NOTHING);
  ended(1, 10);
  assert.equal(now([{ ageMs: 3_600_000 }]).overdue, 1);
});

test('a run is overdue at p99 times the factor, and its ratio says how near it is', () => {
  const { ended, now } = watched();
  ended(1000, 1000);
  const { p99, ...none } = now([]);
  assert.ok(p99! >= 1 && p99! < 1.1);
  assert.deepEqual(none, { overdue: 0, learnt: 0, library: undefined, expired: undefined });
  const near = now([{ ageMs: 4000 }, { ageMs: 100 }]);
  assert.equal(near.overdue, 0);
  assert.ok(near.learnt! > 0.7 && near.learnt! <= 0.8);
  assert.equal(now([{ ageMs: 6000 }, { ageMs: 7000 }, { ageMs: 100 }]).overdue, 2);
  assert.equal(now([]).overdue, 0);
});

test('runs of a fast task are not overdue before the floor', () => {
  const { ended, now } = watched();
  ended(1000, 0.5);
  assert.equal(now([{ ageMs: 999 }]).overdue, 0);
  assert.equal(now([{ ageMs: 1001 }]).overdue, 1);
});

test('the limit follows a task that becomes slower', () => {
  const { ended, now } = watched();
  ended(100, 1000);
  assert.equal(now([{ ageMs: 20_000 }]).overdue, 1);
  ended(100, 10_000);
  assert.equal(now([{ ageMs: 20_000 }]).overdue, 0);
});

test('a timeout of the library needs no history', () => {
  const { now } = watched();
  assert.equal(now([{ ageMs: 900, timeoutMs: 1000 }]).library, 0.9);
  assert.equal(now([{ ageMs: 900 }, { ageMs: 1500, timeoutMs: 1000 }]).library, 1.5);
  assert.equal(now([]).library, 0);
});

test('a lock has run out when the loop was blocked for longer than it lasts, and for the run just as long', () => {
  const { now } = watched();
  const run = { ageMs: 40_000, lockMs: 30_000 };
  assert.equal(now([run], 29_000).expired, 0);
  assert.equal(now([run, { ...run, ageMs: 20_000 }, { ageMs: 40_000 }], 31_000).expired, 1);
  assert.equal(now([{ ...run, thread: 1 }], 31_000).expired, 0);
  assert.equal(now([], 0).expired, 0);
});
