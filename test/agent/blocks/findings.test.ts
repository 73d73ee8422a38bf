import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Findings } from '../../../src/agent/blocks/findings.ts';
import type { Block } from '../../../src/agent/watchdog.ts';
import type { AlertTransition } from '../../../src/model/alert.ts';
import { MAIL, REPORT } from '../parts.ts';

const block = (over: Partial<Block> = {}): Block => ({
  ...{ run: undefined, tasks: [MAIL], kind: 'code', stack: 'at f', cpuMs: 900, durationMs: 1000 },
  ...over,
});
const alert = (over: Partial<AlertTransition> = {}): AlertTransition => ({
  ...{
    name: 'Blocks',
    group: 'g',
    intervalMs: 5000,
    expr: 'task_event_loop_blocked_seconds > 1',
    state: 'firing',
  },
  ...{ previousState: 'inactive', labels: { task_name: MAIL.task }, annotations: {}, value: 1 },
  ...{ fingerprint: 'a', activeAt: 0, firedAt: 0, resolvedAt: undefined, runs: [], at: 0 },
  ...over,
});
const END = { state: 'resolved', previousState: 'firing' } as const;

test('an alert about a block tells what kind it is; its end how long it was, and how many there were', () => {
  const findings = new Findings();
  const first = block();
  findings.began(first);
  assert.deepEqual(findings.attach(alert()).findings, {
    block: { kind: 'code', stack: 'at f', durationMs: 1000, cpuMs: 900, count: 1 },
  });
  first.durationMs = 4000;
  findings.began(first);
  findings.ended(first);
  const second = block({ durationMs: 1500, stack: 'at g' });
  findings.began(second);
  findings.ended(second);
  assert.deepEqual(findings.attach(alert(END)).findings?.block, {
    ...{ kind: 'code', stack: 'at f', durationMs: 4000, cpuMs: 900, count: 2 },
  });
  assert.equal(findings.attach(alert(END)).findings, undefined, 'it is forgotten then');
});

test('what native code told late is in the end', () => {
  const findings = new Findings();
  const one = block({ kind: 'native', stack: '' });
  findings.began(one);
  assert.equal(findings.attach(alert()).findings?.block?.stack, '');
  one.stack = 'at late';
  findings.ended(one);
  assert.equal(findings.attach(alert(END)).findings?.block?.stack, 'at late');
});

test('alerts about other things and other tasks are left alone', () => {
  const findings = new Findings();
  findings.began(block());
  for (const other of [
    alert({ expr: 'up > 1' }),
    alert({ labels: { task_name: REPORT.task } }),
    alert({ state: 'pending' }),
    alert(END),
  ])
    assert.equal(findings.attach(other), other);
  assert.equal(
    findings.attach(alert({ labels: {} })).findings?.block?.kind,
    'code',
    'any task, where none is named',
  );
});

test('files that are written about an alert are told, at its end too', () => {
  const findings = new Findings();
  assert.deepEqual(findings.attach(alert({ expr: 'up' }), ['/x']).findings, { evidence: ['/x'] });
  assert.deepEqual(findings.attach(alert({ ...END, expr: 'up' })).findings, { evidence: ['/x'] });
});

test('what is remembered is bounded', () => {
  const findings = new Findings();
  for (let n = 0; n < 1001; n++) findings.attach(alert({ expr: 'up', fingerprint: `${n}` }), ['/x']);
  const ends = (n: number) => findings.attach(alert({ ...END, expr: 'up', fingerprint: `${n}` })).findings;
  assert.deepEqual([ends(0), ends(1)], [undefined, { evidence: ['/x'] }]);
});
