import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Exporting } from '../../src/agent/exporting.ts';
import { Outlet } from '../../src/agent/outlet.ts';
import { metricValue, newRegistry } from './parts.ts';

test('what comes before there are exporters waits, and what the oldest make room for is counted by its signal', () => {
  const registry = newRegistry();
  const outlet = new Outlet(registry);
  const sent: number[] = [];
  const send = (n: number) => (): void => void sent.push(n);
  outlet.send('logs', send(0));
  for (let n = 1; n <= 2049; n++) outlet.send('traces', send(n));
  const dropped = (signal: string) =>
    metricValue(registry, 'taskwarden.telemetry.dropped', { signal, reason: 'queue_full' });
  assert.deepEqual([dropped('logs'), dropped('traces')], [1, 1]);
  outlet.open({} as Exporting);
  outlet.send('logs', send(-1));
  assert.deepEqual([sent.length, sent[0], sent.at(-2), sent.at(-1)], [2049, 2, 2049, -1]);
});
