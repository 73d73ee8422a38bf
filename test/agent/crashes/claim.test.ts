import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ClaimOptions, Claims } from '../../../src/agent/crashes/claim.ts';
import { fileName } from '../../../src/agent/crashes/identity.ts';
import type { Identity } from '../../../src/agent/crashes/layout.ts';
import { fileOf, folder, identity } from './parts.ts';

const HERE = { host: 'here', boot: 'abcdef01-2345', pidNamespace: 'pid:[1]' };

function claims(path: string, over: Partial<ClaimOptions> = {}) {
  const ignored: string[] = [];
  const made = new Claims({
    folder: { path, isShared: false },
    machine: HERE,
    self: { pid: 1, start: 2 },
    isRunning: () => false,
    now: Date.now,
    onIgnored: (why) => ignored.push(why),
    ...over,
  });
  const jobs = (supervisor?: string) =>
    made.take(supervisor).map(({ recording, done }) => {
      done();
      return recording.runs.map(({ jobId }) => jobId).join();
    });
  return { jobs, made, ignored };
}

function leave(path: string, over: Partial<Identity>, jobs = ['job'], silentMs = 0): string {
  const who = identity(over);
  const file = join(path, fileName(who));
  writeFileSync(file, fileOf(who, jobs));
  if (silentMs > 0) utimesSync(file, new Date(), new Date(Date.now() - silentMs));
  return file;
}

test('the dead are taken once, the living are left', () => {
  const path = folder();
  leave(path, { pid: 10 }, ['a', 'b']);
  const living = leave(path, { pid: 11 });
  leave(path, { pid: 12 }, []);
  const { jobs } = claims(path, { isRunning: ({ pid, start }) => pid === 11 && start === 99 });
  assert.deepEqual(jobs(), ['a,b']);
  assert.deepEqual(jobs(), []);
  assert.deepEqual(
    readdirSync(path).map((name) => join(path, name)),
    [living],
  );
});

test('where it cannot be seen whether a process runs, its silence tells', () => {
  const path = folder();
  leave(path, { pid: 10, boot: '12345678-other' }, ['talks']);
  leave(path, { pid: 11, boot: '12345678-other' }, ['rebooted'], 61_000);
  leave(path, { pid: 12, pidNamespace: 'pid:[2]' }, ['in its container']);
  leave(path, { pid: 13, pidNamespace: 'pid:[2]' }, ['container gone'], 61_000);
  assert.deepEqual(claims(path).jobs().sort(), ['container gone', 'rebooted']);
});

test('files of other hosts are left, damaged ones are not told of, each counted once', () => {
  const path = folder();
  leave(path, { host: 'elsewhere' }, ['foreign'], 120_000);
  leave(path, { host: 'long-gone' }, ['foreign'], 8 * 86_400_000);
  writeFileSync(leave(path, { pid: 20 }), 'nonsense');
  truncateSync(leave(path, { pid: 21 }), 1000);
  writeFileSync(leave(path, { pid: 22 }), Buffer.alloc(3 << 20));
  symlinkSync('/etc/passwd', join(path, fileName(identity({ pid: 23 }))));
  writeFileSync(join(path, 'flight-plan.txt'), '');
  writeFileSync(join(path, 'alerts-1-2-3.json'), '');
  const { jobs, ignored } = claims(path);
  assert.deepEqual(jobs(), []);
  assert.deepEqual(jobs(), []);
  assert.deepEqual(ignored.sort(), ['corrupt', 'corrupt', 'corrupt', 'corrupt', 'foreign', 'foreign']);
  assert.deepEqual(readdirSync(path).sort(), [
    'alerts-1-2-3.json',
    'flight-elsewhere-abcdef01-4711-99.bin',
    'flight-plan.txt',
  ]);
});

test('a supervisor takes its own alone, and others leave them to it while it lives', () => {
  const path = folder();
  leave(path, { pid: 10, supervisor: '77-5' }, ['watched']);
  leave(path, { pid: 11 }, ['alone']);
  const living = { isRunning: ({ pid, start }: { pid: number; start: number }) => pid === 77 && start === 5 };
  assert.deepEqual(claims(path, living).jobs(), ['alone']);
  assert.deepEqual(claims(path, living).jobs('78-5'), []);
  assert.deepEqual(claims(path, living).jobs('77-5'), ['watched']);
  leave(path, { pid: 12, supervisor: '77-5' }, ['orphan']);
  assert.deepEqual(claims(path).jobs(), ['orphan']);
});

test('a claim whose claimer died over it is taken over, after a while', () => {
  const path = folder();
  leave(path, { pid: 10 }, ['half told']);
  const first = claims(path, { self: { pid: 500, start: 1 } });
  assert.equal(first.made.take().length, 1);
  const later = { now: () => Date.now() + 11_000 };
  assert.deepEqual(claims(path).jobs(), [], 'it may be at work');
  assert.deepEqual(claims(path, { ...later, isRunning: ({ pid }) => pid === 500 }).jobs(), []);
  assert.deepEqual(claims(path, later).jobs(), ['half told']);
  assert.deepEqual(readdirSync(path), []);
});

test('each death goes to one of many claimers', async () => {
  const path = folder();
  const dead = Array.from({ length: 60 }, (_, i) => `job-${i}`);
  for (const [i, job] of dead.entries()) leave(path, { pid: 100_000 + i }, [job]);
  const program = `
    import { Claims } from ${JSON.stringify(import.meta.resolve('../../../src/agent/crashes/claim.ts'))};
    const claims = new Claims({
      folder: { path: process.argv[1], isShared: false }, machine: ${JSON.stringify(HERE)},
      self: { pid: process.pid, start: 1 }, isRunning: () => false, now: Date.now, onIgnored() {},
    });
    process.stdin.once('data', () => {
      for (const { recording, done } of claims.take()) { console.log(recording.runs[0].jobId); done(); }
      process.exit();
    });
    console.log('ready');`;
  const claimers = Array.from({ length: 3 }, () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, path], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    return { child, told: () => text.split('\n').filter((line) => line.startsWith('job-')) };
  });
  await Promise.all(claimers.map(({ child }) => once(child.stdout, 'data')));
  const ends = claimers.map(({ child }) => once(child, 'close'));
  for (const { child } of claimers) child.stdin.write('go\n');
  await Promise.all(ends);
  const told = claimers.flatMap((one) => one.told());
  assert.deepEqual(told.sort(), dead.sort());
  assert.deepEqual(readdirSync(path), []);
});

test('an empty file tells of nothing, and is no damaged one', () => {
  const path = folder();
  truncateSync(leave(path, { pid: 20 }));
  const { jobs, ignored } = claims(path);
  assert.deepEqual(jobs(), []);
  assert.deepEqual(ignored, []);
  assert.deepEqual(readdirSync(path), []);
});
