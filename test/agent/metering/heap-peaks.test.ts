import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeapPeaks } from '../../../src/agent/metering/heap-peaks.ts';
import { F64 } from '../../../src/bridge/protocol.ts';
import { bothEnds, MAIL, newRegistry, REPORT, taskValue } from '../parts.ts';

const MINUTE = 60_000;

function setup() {
  const registry = newRegistry();
  const ends = bothEnds();
  const peaks = new HeapPeaks(ends.inbox, registry);
  let nowMs = 0;
  /** A reading of the heap, now. */
  const read = (bytes: number, afterMs = 1000): void => {
    nowMs += afterMs;
    ends.drain();
    ends.shared.f64[F64.usedHeap] = bytes;
    ends.shared.f64[F64.heapReadAt] = performance.now();
    peaks.check(nowMs);
  };
  const peak = (task: typeof MAIL, suspicion: 'exclusive' | 'shared') =>
    taskValue(registry, 'task.memory.peak', task, { 'task.suspicion': suspicion });
  return { ...ends, peaks, read, peak };
}

test('a run alone in flight is the only suspect, one of several is not', () => {
  const { begin, finish, inbox, peaks, read, peak } = setup();
  const first = begin(MAIL);
  read(100);
  read(300);
  read(200);
  const run = inbox.inFlight()[0]!;
  assert.deepEqual([peaks.peakOf(run)?.bytes, peaks.peakOf(run)?.suspicion], [300, 'exclusive']);
  assert.equal(peak(MAIL, 'exclusive'), 300);
  begin(REPORT);
  read(400);
  assert.equal(peaks.peakOf(run)?.suspicion, 'shared');
  assert.deepEqual(
    [peak(MAIL, 'shared'), peak(REPORT, 'shared'), peak(REPORT, 'exclusive')],
    [400, 400, undefined],
  );
  finish(first);
  assert.equal(
    peaks.peakOf(run)?.bytes,
    400,
    'known until the next reading, when its record has long been read',
  );
});

test('a run that began after the reading has no peak, and one in its slot later has not that of its predecessor', () => {
  const { begin, finish, shared, inbox, peaks, read } = setup();
  const slot = begin(MAIL);
  read(100);
  const old = inbox.inFlight()[0]!;
  finish(slot);
  begin(MAIL);
  assert.equal(peaks.peakOf(inbox.inFlight()[0]!), undefined);
  assert.equal(peaks.peakOf(old)?.bytes, 100);
  shared.f64[F64.heapReadAt] = 1;
  peaks.check(2000);
  assert.equal(peaks.peakOf(inbox.inFlight()[0]!), undefined);
});

test('a peak is told for one to two minutes, then the next highest, then none', () => {
  const { begin, finish, read, peak } = setup();
  const slot = begin(MAIL);
  read(500, 0);
  read(200);
  read(200, MINUTE);
  assert.equal(peak(MAIL, 'exclusive'), 500);
  read(200);
  read(200, MINUTE);
  assert.equal(peak(MAIL, 'exclusive'), 200);
  finish(slot);
  read(100, MINUTE);
  read(100, MINUTE);
  assert.equal(peak(MAIL, 'exclusive'), undefined);
});
