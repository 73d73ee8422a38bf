import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OffThread } from '../../../src/agent/metering/off-thread.ts';
import { createShared, F64, type Shared } from '../../../src/bridge/protocol.ts';
import { metricValue, newRegistry } from '../parts.ts';

function setup() {
  const registry = newRegistry();
  const times: { process: number; own: number | undefined } = { process: 1000, own: 100 };
  const off = new OffThread(registry, { processMs: () => times.process, ownMs: () => times.own });
  const told = () => metricValue(registry, 'taskwarden.worker.cpu.unattributed', { kind: 'off_thread' });
  return { times, off, told };
}

function threadOf(cpuMs: number): Shared {
  const shared = createShared();
  shared.f64[F64.threadCpuMs] = cpuMs;
  return shared;
}

test('the process less its threads, from the first look on', () => {
  const { times, off, told } = setup();
  const main = threadOf(300);
  off.collect([main]);
  assert.equal(told(), 0);
  times.process += 2000;
  times.own! += 200;
  main.f64[F64.threadCpuMs]! += 800;
  off.collect([main]);
  assert.equal(told(), 1);
});

test('a figure of a thread that comes late is no CPU time twice', () => {
  const { times, off, told } = setup();
  const main = threadOf(300);
  off.collect([main]);
  times.process += 1000;
  off.collect([main]);
  main.f64[F64.threadCpuMs]! += 1000;
  off.collect([main]);
  times.process += 1500;
  off.collect([main]);
  assert.equal(told(), 1.5);
});

test('what a thread has used that has ended stays its own', () => {
  const { times, off, told } = setup();
  const [main, other] = [threadOf(300), threadOf(50)];
  off.collect([main, other]);
  times.process += 500;
  other.f64[F64.threadCpuMs]! += 500;
  off.collect([main, other]);
  off.collect([main]);
  times.process += 250;
  off.collect([main]);
  assert.equal(told(), 0.25);
});

test('nothing is claimed where a thread’s CPU time is not known', () => {
  const { times, off, told } = setup();
  off.collect([threadOf(Number.NaN)]);
  times.own = undefined;
  off.collect([threadOf(1)]);
  assert.equal(told(), undefined);
});
