import assert from 'node:assert/strict';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Recorder } from '../../../src/agent/crashes/recorder.ts';
import { EventFile } from '../../../src/bridge/event-file.ts';
import { Inbox } from '../../../src/bridge/inbox.ts';
import { Outbox } from '../../../src/bridge/outbox.ts';
import { createShared, END, F64, I32, STATE } from '../../../src/bridge/protocol.ts';
import { monotonicMs } from '../../../src/model/clock.ts';
import { folder, identity, recordings } from './parts.ts';

function setUp(path = folder(), { isShared = false, events = false, onDrained = () => {} } = {}) {
  const shared = createShared();
  const file = new EventFile(shared);
  const outbox = new Outbox(shared, 100, file);
  const inbox = new Inbox(shared.buffer, monotonicMs() - performance.now());
  const drain = () => {
    inbox.drain({ run() {}, task() {}, span() {}, collection() {}, unreadable() {} });
    onDrained();
  };
  const newRecorder = () =>
    new Recorder({
      folder: { path, isShared },
      identity: identity(),
      inboxes: () => [inbox],
      drain,
      events,
      resources: () => ({ rss: 5000, cpuMs: 70, oomKills: Number.NaN }),
      wallClock: () => 1_700_000_000_000,
    });
  const recorder = newRecorder();
  const open = (jobId: string, task = 'resize'): number => {
    return outbox.open(outbox.taskId('test', 'images', task)!, jobId, 1, performance.now() - 400, '');
  };
  const names = () => recordings(path).flatMap(({ runs }) => runs.map(({ task }) => task.task));
  const jobs = () => recordings(path).map(({ runs }) => runs.map(({ jobId }) => jobId));
  const agentDies = () => file.goOn(outbox.told().tasks);
  return { path, shared, outbox, recorder, newRecorder, open, jobs, names, agentDies };
}

test('there is a file from the first run on, which follows the runs', () => {
  const { path, outbox, recorder, open, jobs } = setUp();
  recorder.tick(0);
  assert.deepEqual(readdirSync(path), []);
  const [first] = [open('1'), open('2')];
  recorder.tick(100);
  assert.deepEqual(jobs(), [['1', '2']]);
  const [recording] = recordings(path);
  assert.equal(recording?.resources.rss, 5000);
  assert.equal(recording?.runs[0]?.task.task, 'resize');
  const age = recording.resources.at - recording.runs[0].startedAt;
  assert.ok(age >= 400 && age < 5000, `age ${age}`);
  outbox.close(first);
  open('3');
  assert.deepEqual(jobs(), [['1', '2']]);
  recorder.tick(200);
  assert.deepEqual(jobs(), [['3', '2']]);
  for (const slot of [0, 1]) outbox.close(slot);
  recorder.tick(300);
  assert.deepEqual(jobs(), [[]], 'a process with nothing in flight loses nothing');
});

for (const events of [false, true])
  test(`a task is known by its name though its first run begins while a recording is made (events: ${events})`, () => {
    let begin = (): void => {};
    const { recorder, open, names } = setUp(folder(), { events, onDrained: () => begin() });
    open('1');
    recorder.tick(0);
    begin = () => {
      begin = () => {};
      open('2', 'shrink');
    };
    recorder.tick(1000);
    assert.deepEqual(names(), ['resize', 'shrink']);
  });

test('the run that holds the thread is recorded where it keeps it to itself, or at the end', () => {
  const { path, shared, recorder, open } = setUp();
  const holderAt = (now: number, beatAt: number): number | undefined => {
    shared.f64[F64.beatAt] = beatAt;
    recorder.tick(now);
    return recordings(path)[0]?.holder;
  };
  open('1');
  Atomics.store(shared.i32, I32.current, open('2'));
  assert.equal(holderAt(0, performance.now() + 60_000), undefined);
  assert.equal(holderAt(1000, performance.now() - 60_000), 1);
  assert.equal(holderAt(2000, performance.now() + 60_000), undefined);
  Atomics.store(shared.i32, I32.endKind, END.exit);
  recorder.end(2100);
  assert.equal(recordings(path)[0]?.holder, 1);
});

test('usage is refreshed every second though no run begins or ends', () => {
  const { path, outbox, recorder, open } = setUp();
  const slot = open('1');
  recorder.tick(0);
  outbox.usage(slot, { cpuMs: 33, bytesIn: 1, bytesOut: 2, requests: 3 });
  recorder.tick(900);
  assert.equal(recordings(path)[0]?.runs[0]?.cpuMs, 0);
  recorder.tick(1000);
  assert.equal(recordings(path)[0]?.runs[0]?.cpuMs, 33);
});

test('an end in good order leaves nothing, one with runs in flight says how it came', () => {
  const good = setUp();
  good.outbox.close(good.open('1'));
  good.recorder.tick(0);
  good.open('2');
  good.recorder.tick(100);
  good.outbox.close(0);
  Atomics.store(good.shared.i32, I32.endKind, END.exit);
  good.recorder.end(200);
  assert.deepEqual(readdirSync(good.path), []);

  const bad = setUp();
  bad.open('1');
  Atomics.store(bad.shared.i32, I32.endKind, END.exception);
  Atomics.store(bad.shared.i32, I32.endCode, 1);
  bad.recorder.end(0);
  assert.deepEqual(recordings(bad.path)[0]?.end, { kind: 'exception', code: 1 });
  bad.outbox.close(0);
  bad.recorder.tick(200);
  assert.deepEqual(bad.jobs(), [['1']], 'the end was the last word');
});

test('an end in good order is none to tell of, even where the file cannot be removed any more', () => {
  const { path, shared, outbox, recorder, open } = setUp();
  const slot = open('1');
  recorder.tick(0);
  const moved = `${path}-moved`;
  renameSync(path, moved);
  writeFileSync(path, 'what is no folder');
  outbox.close(slot);
  Atomics.store(shared.i32, I32.endKind, END.exit);
  recorder.end(1000);
  assert.deepEqual(recordings(moved), []);
  rmSync(path);
  renameSync(moved, path);
});

test('where only Taskwarden stops, runs in flight are not lost', () => {
  const { path, shared, recorder, open } = setUp();
  open('1');
  recorder.tick(0);
  Atomics.store(shared.i32, I32.endKind, END.stopped);
  recorder.end(100);
  recorder.tick(2000);
  assert.deepEqual(readdirSync(path), []);
});

test('runs of a thread that has ended are its own business', () => {
  const { shared, recorder, open, jobs } = setUp();
  open('1');
  recorder.tick(0);
  Atomics.store(shared.i32, I32.state, STATE.closed);
  recorder.tick(2000);
  assert.deepEqual(jobs(), [[]]);
});

test('a file that somebody tidies up is made anew', () => {
  const { path, recorder, open, jobs } = setUp();
  open('1');
  recorder.tick(0);
  rmSync(path, { recursive: true });
  open('2');
  recorder.tick(10_000);
  assert.deepEqual(jobs(), [['1', '2']]);
});

test('a file of the program that has got the number of ours is left alone, and ours is made anew', () => {
  const { shared, outbox, recorder, open, jobs } = setUp();
  const slot = open('1');
  recorder.tick(0);
  const path = join(folder(), 'customers');
  const takeOver = (): number => {
    const ours = Atomics.load(shared.i32, I32.recorderFd);
    closeSync(ours);
    const theirs = openSync(path, 'w+');
    assert.equal(theirs, ours);
    writeSync(theirs, 'customers');
    return theirs;
  };
  const theirs = takeOver();
  open('2');
  recorder.tick(1000);
  assert.deepEqual(jobs(), [['1', '2']]);
  assert.equal(readFileSync(path, 'utf8'), 'customers');
  const last = takeOver();
  for (const each of [slot, 1]) outbox.close(each);
  Atomics.store(shared.i32, I32.endKind, END.exit);
  recorder.end(2000);
  assert.deepEqual(jobs(), []);
  assert.equal(readFileSync(path, 'utf8'), 'customers');
  for (const fd of [theirs, last]) closeSync(fd);
});

test('a folder that cannot be written is told, and tried again after a minute', () => {
  const parent = folder();
  const path = join(parent, 'state');
  writeFileSync(path, 'in the way');
  const { recorder, open, jobs } = setUp(path);
  open('1');
  assert.throws(() => recorder.tick(0), /ENOTDIR|EEXIST/);
  recorder.tick(100);
  recorder.tick(59_000);
  rmSync(path);
  recorder.tick(59_500);
  assert.deepEqual(readdirSync(parent), []);
  recorder.tick(60_000);
  assert.deepEqual(jobs(), [['1']]);
});

test('a shared folder that others may write is not used', () => {
  const path = join(folder(), 'open');
  mkdirSync(path);
  chmodSync(path, 0o777);
  const { recorder, open } = setUp(path, { isShared: true });
  open('1');
  assert.throws(
    () => recorder.tick(0),
    /not a folder of this user alone: runs in flight do not outlive a crash/,
  );
});

test('with events a run is in the file from its first moment until its last', () => {
  const { path, shared, outbox, recorder, open, jobs } = setUp(folder(), { events: true });
  const early = open('early');
  recorder.tick(0);
  outbox.usage(early, { cpuMs: 33, bytesIn: 1, bytesOut: 2, requests: 3 });
  recorder.tick(1000);
  outbox.close(open('over'));
  const late = open('late', 'a task that is new');
  assert.deepEqual(jobs(), [['early', 'late']]);
  const [recording] = recordings(path);
  assert.equal(recording?.runs[0]?.cpuMs, 33);
  assert.equal(recording?.runs[1]?.task.task, 'a task that is new');
  const age = 1_700_000_000_000 - recording.runs[1].startedAt;
  assert.ok(age > 300 && age < 5000, `age ${age}`);
  outbox.close(early);
  assert.deepEqual(jobs(), [['late']]);
  outbox.close(late);
  assert.deepEqual(jobs(), [[]]);
  Atomics.store(shared.i32, I32.endKind, END.exit);
  recorder.end(2000);
  assert.deepEqual(readdirSync(path), []);
  assert.equal(Atomics.load(shared.i32, I32.eventFd), 0);
});

test('where events cannot be written, the recordings alone count', () => {
  const { shared, recorder, outbox, open, jobs } = setUp(folder(), { events: true });
  recorder.tick(0);
  Atomics.store(shared.i32, I32.eventFd, 9999);
  const slot = open('1');
  assert.equal(Atomics.load(shared.i32, I32.errors), 1);
  recorder.tick(100);
  assert.deepEqual(jobs(), [['1']]);
  outbox.close(slot);
  recorder.tick(200);
  assert.deepEqual(jobs(), [[]]);
});

for (const events of [false, true])
  test(`the recorder of another agent goes on with the file (events: ${events})`, () => {
    const { path, shared, outbox, recorder, newRecorder, open, jobs } = setUp(folder(), { events });
    const first = open('1');
    for (const ms of [0, 1000, 2000]) recorder.tick(ms);
    const fd = Atomics.load(shared.i32, I32.recorderFd);
    assert.notEqual(fd, 0);
    const next = newRecorder();
    assert.deepEqual(jobs(), [['1']], 'nothing is lost before it writes');
    const second = open('2');
    next.tick(2100);
    assert.deepEqual(jobs(), [['1', '2']]);
    next.tick(3200);
    outbox.close(first);
    next.tick(3300);
    assert.deepEqual(jobs(), [['2']]);
    assert.equal(readdirSync(path).length, 1);
    assert.equal(Atomics.load(shared.i32, I32.recorderFd), fd);
    outbox.close(second);
    Atomics.store(shared.i32, I32.endKind, END.exit);
    newRecorder().end(3400);
    assert.deepEqual(readdirSync(path), [], 'one that has written nothing removes what it has found');
    assert.equal(Atomics.load(shared.i32, I32.recorderFd), 0);
  });

test('while there is no agent the main thread goes on with the file, which the next one takes back', () => {
  const { path, shared, outbox, recorder, newRecorder, open, jobs, agentDies } = setUp();
  const [ends, stays] = [open('ends'), open('stays')];
  recorder.tick(0);
  agentDies();
  outbox.close(ends);
  const begun = open('begun', 'a task that no agent has heard of');
  assert.deepEqual(jobs(), [['stays', 'begun']]);
  const [recording] = recordings(path);
  assert.equal(recording?.runs[1]?.task.task, 'a task that no agent has heard of');
  const age = Date.now() - recording.runs[1].startedAt;
  assert.ok(age >= 400 && age < 20_000, `age ${age}`);

  const next = newRecorder();
  assert.deepEqual(jobs(), [['stays', 'begun']], 'nothing is lost before it writes');
  next.tick(900);
  const loading = open('loading');
  assert.deepEqual(jobs(), [['begun', 'stays', 'loading']], 'nor while it is busy with itself');
  outbox.close(loading);
  next.settled(1000);
  assert.equal(Atomics.load(shared.i32, I32.eventFd), 0);
  outbox.close(begun);
  next.tick(1100);
  const later = open('later');
  next.tick(1200);
  assert.deepEqual(jobs(), [['later', 'stays']]);

  outbox.close(later);
  agentDies();
  assert.deepEqual(jobs(), [['stays']], 'what ended between two deaths is over');
  outbox.close(stays);
  assert.deepEqual(jobs(), [[]]);
});

test('while the agent is loaded the main thread writes its runs itself', () => {
  const { path, shared, outbox, recorder, open, jobs, names } = setUp();
  const early = open('early', 'first');
  recorder.tick(0);
  assert.deepEqual(names(), ['first']);
  open('other', 'second');
  recorder.share(10);
  assert.deepEqual(names(), ['first', 'second']);
  outbox.close(1);
  outbox.close(early);
  const late = open('late');
  assert.deepEqual(jobs(), [['late']]);
  recorder.settled(20);
  outbox.close(late);
  open('later');
  assert.deepEqual(jobs(), [['late']], 'recordings alone count again');
  recorder.tick(30);
  assert.deepEqual(jobs(), [['later']]);
  Atomics.store(shared.i32, I32.endKind, END.stopped);
  recorder.end(40);
  assert.deepEqual(readdirSync(path), []);
});

test('an agent that died before any run leaves nothing to go on with', () => {
  const { path, shared, recorder, open, agentDies } = setUp();
  recorder.tick(0);
  agentDies();
  open('1');
  assert.equal(Atomics.load(shared.i32, I32.eventFd), 0);
  assert.deepEqual(readdirSync(path), []);
});
