import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { test } from 'node:test';

const FIXTURE = resolve(import.meta.dirname, 'fixtures/exit/signal.ts');
const UNSHARE = ['unshare', '--pid', '--fork', '--kill-child'] as const;
const mayUnshare = spawnSync(UNSHARE[0], [...UNSHARE.slice(1), 'true']).status === 0;

function ended(
  way: string,
  by: readonly string[] = [],
): { status: number | null; signal: string | null; lines: string[] } {
  const [command, ...args] = [...by, process.execPath, '--disable-warning=ExperimentalWarning', FIXTURE, way];
  const { status, signal, stdout, stderr } = spawnSync(command!, args, { encoding: 'utf8' });
  assert.equal(stderr, '');
  return { status, signal, lines: stdout.trim().split('\n') };
}

test('a signal that nobody listens to ends the process', () => {
  assert.deepEqual(ended('nobody'), { status: null, signal: 'SIGTERM', lines: ['flushed at signal'] });
});

test('a signal from outside does as well', () => {
  assert.deepEqual(ended('from outside'), { status: null, signal: 'SIGTERM', lines: ['flushed at signal'] });
});

test('a signal that the program sends to itself, after which the loop does not turn', () => {
  assert.deepEqual(ended('at exit'), { status: null, signal: 'SIGTERM', lines: ['flushed at exit'] });
  assert.deepEqual(ended('before the exit'), {
    status: null,
    signal: 'SIGTERM',
    lines: ['flushed at signal'],
  });
});

test('a signal that the program only emits does not', () => {
  assert.deepEqual(ended('emitted'), { status: 0, signal: null, lines: ['flushed at exit'] });
});

test('a host that listens once, and has done so before, closes in its time', () => {
  assert.deepEqual(ended('once'), {
    status: 0,
    signal: null,
    lines: ['told 15', 'closed', 'flushed at exit'],
  });
});

test('beside signal-exit, which ends the process itself', () => {
  assert.deepEqual(ended('signal-exit'), {
    status: null,
    signal: 'SIGTERM',
    lines: ['flushed at signal', 'signal-exit: SIGTERM'],
  });
});

test('the first process of a container goes on', {
  skip: mayUnshare ? false : 'needs unshare, and the right to',
}, () => {
  assert.deepEqual(ended('nobody', UNSHARE), {
    status: 0,
    signal: null,
    lines: ['told 15', 'flushed at exit'],
  });
});
