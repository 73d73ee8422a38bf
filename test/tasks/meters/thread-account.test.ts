import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ThreadAccount } from '../../../src/tasks/meters/thread-account.ts';
import { spin } from '../../helpers/spin.ts';

const SCHEDSTAT = '/proc/thread-self/schedstat';
const HAS_SCHEDSTAT = existsSync(SCHEDSTAT);
const CAN_TELL = HAS_SCHEDSTAT || process.threadCpuUsage !== undefined;

/** CPU time and time in the queue, ms. */
function told(): number[] {
  return readFileSync(SCHEDSTAT, 'latin1')
    .split(' ')
    .slice(0, 2)
    .map((ns) => Number(ns) / 1e6);
}

test('the thread’s times are those that the kernel tells', { skip: !HAS_SCHEDSTAT }, () => {
  const account = new ThreadAccount();
  account.open();
  spin(20);
  const before = told();
  assert.ok(account.read());
  const after = told();
  account.close();
  assert.ok(account.knowsQueue === false, 'closed');
  assert.ok(account.cpuMs > 0);
  for (const [i, ms] of [account.cpuMs, account.queuedMs].entries())
    assert.ok(before[i]! <= ms && ms <= after[i]!, `${before[i]} <= ${ms} <= ${after[i]}`);
});

test('CPU time is told without the file, too, and never shrinks', { skip: !CAN_TELL }, () => {
  const account = new ThreadAccount();
  account.read();
  const { cpuMs } = account;
  spin(30);
  account.open();
  assert.ok(account.read());
  account.close();
  const opened = account.cpuMs;
  assert.ok(opened >= cpuMs);
  assert.ok(account.read());
  // Two numbers of whole microseconds against nanoseconds.
  assert.ok(account.cpuMs >= opened - 0.002, `${account.cpuMs} after ${opened}`);
});
