import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type BlockFacts, classify, classifyEnded, isExcused } from '../../../src/agent/blocks/classify.ts';
import { ThreadState } from '../../../src/agent/blocks/thread-state.ts';

const BUSY: BlockFacts = {
  ...{ lagMs: 1000, cpuMs: 990, agentMs: 5, state: 'R', answered: true },
  ...{ paused: false, hasChild: false, heapShare: 0.3, gcShare: 0.1 },
};

for (const [expected, over, what] of [
  ['code', {}, 'it answers and is busy'],
  ['code', { cpuMs: 80 }, 'it is busy at a tenth of a CPU'],
  ['code', { cpuMs: 20, agentMs: 60 }, 'the agent takes most of that'],
  ['code', { state: 'S', cpuMs: 0 }, 'it waits in JavaScript, as Atomics.wait does'],
  ['code', { cpuMs: undefined, state: undefined }, 'nothing is known but that it answers'],
  ['gc', { heapShare: 0.97 }, 'its heap is full'],
  ['gc', { heapShare: 0.97, answered: false }, 'its heap is full, and it does not answer'],
  ['gc', { gcShare: 0.7 }, 'it does little but collect'],
  ['native', { answered: false }, 'it does not answer'],
  ['native', { answered: false, state: 'D', cpuMs: 0 }, 'it waits for a device'],
  ['child_process', { answered: false, state: 'S', cpuMs: 0, hasChild: true }, 'it has a new child'],
  ['host_starved', { cpuMs: 5 }, 'it wants to run and gets nothing'],
  ['host_starved', { cpuMs: 5, answered: false }, 'it gets nothing and cannot answer'],
  ['debugger', { state: 'S', cpuMs: 0, paused: true }, 'it is paused'],
  ['debugger', { state: 't', cpuMs: 0, answered: false }, 'it is held by a debugger of the system'],
] as const)
  test(`a block is ${expected} when ${what}`, () => {
    assert.equal(classify({ ...BUSY, ...over }), expected);
  });

test('the machine and a debugger are no fault of a task', () => {
  const excused = (['code', 'gc', 'native', 'child_process', 'host_starved', 'debugger'] as const).filter(
    isExcused,
  );
  assert.deepEqual(excused, ['host_starved', 'debugger']);
});

test('a block that is over was collections if they took half of it', () => {
  assert.equal(classifyEnded('code', 2000, 999), 'code');
  assert.equal(classifyEnded('code', 2000, 1000), 'gc');
});

test('the kernel tells state and CPU time of the main thread, and its new children', async () => {
  const thread = new ThreadState();
  const before = thread.cpuMs()!;
  assert.ok(before > 1, 'ms since the start');
  for (const end = performance.now() + 40; performance.now() < end; );
  const used = thread.cpuMs()! - before;
  assert.ok(used > 1 && used < 2000, `${used} ms of busy waiting`);
  assert.equal(thread.state(), 'R');
  assert.equal(thread.hasChildSince(60_000), false);
  const child = spawn('sleep', ['60']);
  assert.equal(thread.hasChildSince(60_000), true);
  execFileSync('sleep', ['0.2']);
  assert.equal(thread.hasChildSince(100), false, 'one that is older than the block is none of it');
  child.kill('SIGKILL');
});

test('where the kernel tells nothing, nothing is known', () => {
  const nothing = new ThreadState('/nowhere');
  assert.deepEqual(
    [nothing.cpuMs(), nothing.state(), nothing.hasChildSince(1000)],
    [undefined, undefined, false],
  );
  const folder = mkdtempSync(join(tmpdir(), 'taskwarden-thread-'));
  writeFileSync(join(folder, 'schedstat'), 'what 0 0\n');
  writeFileSync(join(folder, 'stat'), '12 (a name) S) S 1\n');
  const odd = new ThreadState(folder);
  assert.equal(odd.cpuMs(), undefined);
  assert.equal(odd.state(), 'S', 'whatever the name holds');
  rmSync(folder, { recursive: true });
});
