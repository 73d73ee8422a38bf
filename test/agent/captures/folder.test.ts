import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { EvidenceFolder, type EvidenceLimits } from '../../../src/agent/captures/folder.ts';
import { folderWith } from '../../fixtures/faults/program.ts';

let place = folderWith({});
after(() => place.remove());
beforeEach(() => {
  place.remove();
  place = folderWith({});
  nowMs = Date.now();
});

const HOUR = 3_600_000;
let nowMs = Date.now();

function open(limits: Partial<EvidenceLimits> = {}, path = join(place.path, 'a/b'), isShared = false) {
  return new EvidenceFolder({
    folder: { path, isShared },
    limits: { maxFiles: 100, maxSize: 1, maxAge: 24 * HOUR, ...limits },
    now: () => nowMs,
  });
}

/** Writes a file of so many bytes, a second after the last. */
function add(folder: EvidenceFolder, bytes = 10, extension = 'stack.txt'): string {
  nowMs += 1000;
  const path = folder.plan(['Alert', 'task'], extension);
  folder.write(path, 'x'.repeat(bytes));
  utimesSync(path, nowMs / 1000, nowMs / 1000);
  return path;
}

test('a name holds time, alert and task, and is a harmless one', () => {
  const folder = open();
  nowMs = Date.UTC(2026, 10, 24, 12, 5, 7, 89);
  const path = folder.plan(['Alert/../x', '', 'a b'.repeat(100)], 'cpuprofile');
  assert.match(path, /\/a\/b\/20261124T120507089Z-Alert_.._x-_-(a_b)+a?_?b?-\d+-0\.cpuprofile$/);
  assert.ok(path.length - place.path.length < 200);
  assert.notEqual(folder.plan(['Alert/../x', '', 'a b'.repeat(100)], 'cpuprofile'), path);
  folder.write(path, 'text');
  assert.equal(readFileSync(path, 'utf8'), 'text');
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('the oldest make room: by number, size and age; what is not ours stays', () => {
  nowMs = Date.now();
  const folder = open({ maxFiles: 3 });
  const paths = Array.from({ length: 5 }, () => add(folder));
  writeFileSync(join(place.path, 'a/b/mine.txt'), '');
  add(folder);
  const left = readdirSync(join(place.path, 'a/b'));
  assert.equal(left.length, 4);
  assert.ok(left.includes('mine.txt'));
  assert.ok(!left.some((name) => paths.slice(0, 3).some((path) => path.endsWith(name))));

  const sized = open({}, join(place.path, 'sized'));
  for (let n = 0; n < 4; n++) add(sized, 400_000);
  assert.equal(readdirSync(join(place.path, 'sized')).length, 3, 'those before the last fit a MiB');

  const aged = open({}, join(place.path, 'aged'));
  add(aged);
  nowMs += 25 * HOUR;
  const fresh = add(aged);
  assert.deepEqual(readdirSync(join(place.path, 'aged')), [fresh.split('/').at(-1)]);
});

test('a file that is too large is not there at all, and one that was left half-written goes in time', () => {
  const folder = open();
  const path = folder.plan(['A'], 'heapsnapshot');
  assert.throws(() => folder.write(path, 'x'.repeat(2 << 20)), /max_size/);
  assert.deepEqual(readdirSync(join(place.path, 'a/b')), []);
  assert.throws(() => folder.checkRoom(2 << 20), /max_size/);
  folder.checkRoom(1000);
  const half = folder.open(path);
  half.add('x');
  add(folder);
  assert.ok(readdirSync(join(place.path, 'a/b')).some((name) => name.endsWith('.part')));
  nowMs += 2 * HOUR;
  add(folder);
  assert.ok(!readdirSync(join(place.path, 'a/b')).some((name) => name.endsWith('.part')));
});

test('a folder that cannot be used is told when a file is planned', {
  skip: process.platform !== 'linux' && '/proc is of Linux',
}, () => {
  writeFileSync(join(place.path, 'file'), '');
  assert.throws(
    () =>
      open({}, join(place.path, 'file')).plan(['A'], 'stack.txt').length &&
      open({}, join(place.path, 'file/x')).plan(['A'], 'stack.txt'),
  );
  assert.throws(() => open({}, '/proc/nowhere').plan(['A'], 'stack.txt'));
  mkdirSync(join(place.path, 'open'));
  chmodSync(join(place.path, 'open'), 0o777);
  assert.throws(
    () => open({}, join(place.path, 'open'), true).plan(['A'], 'stack.txt'),
    /not a folder of this user alone/,
  );
});
