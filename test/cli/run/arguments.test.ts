import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRun, sizeText } from '../../../src/cli/run/arguments.ts';

test('options come before the command, which is taken as it is', () => {
  const asked = parseRun([
    '--memory',
    '512M',
    '--cpu=0.5',
    '--restart=3',
    '--backoff',
    '250ms',
    '--',
    'node',
    '--x',
    'a b',
  ]);
  assert.deepEqual(asked, {
    help: false,
    memory: 512 * 1024 * 1024,
    cpu: 0.5,
    limitBy: undefined,
    restarts: 3,
    backoff: 250,
    command: ['node', '--x', 'a b'],
  });
  assert.deepEqual(parseRun(['node', '--memory', '1']).command, ['node', '--memory', '1']);
  assert.equal(parseRun(['--restart', '--', 'x']).restarts, Number.POSITIVE_INFINITY);
  assert.equal(parseRun(['x']).restarts, 0);
  assert.equal(parseRun(['--help']).help, true);
});

test('sizes', () => {
  for (const [text, bytes] of [
    ['512m', 2 ** 29],
    ['1G', 2 ** 30],
    ['1.5GiB', 1.5 * 2 ** 30],
    ['64MB', 2 ** 26],
    ['100000000', 1e8],
  ] as const)
    assert.equal(parseRun([`--memory=${text}`, 'x']).memory, bytes);
  for (const [bytes, text] of [
    [2 ** 29, '512M'],
    [2 ** 31, '2G'],
    [1e8 + 1, '100000001'],
  ] as const)
    assert.equal(sizeText(bytes), text);
});

test('what is wrong is said', () => {
  for (const [args, message] of [
    [[], /run wants a command after --/],
    [['--'], /wants a command/],
    [['--memory', '--', 'x'], /--memory wants a value/],
    [['--memory=much', 'x'], /--memory: "much" is not allowed; allowed: a size from 32M/],
    [['--memory=1K', 'x'], /--memory: "1K" is not allowed/],
    [['--memory=-5M', 'x'], /--memory: "-5M" is not allowed/],
    [['--cpu=0', 'x'], /--cpu: "0" is not allowed; allowed: a number of cores from 0\.01/],
    [['--cpu', 'half', 'x'], /--cpu: "half"/],
    [['--restart=often', 'x'], /--restart: "often" is not allowed; allowed: a number/],
    [['--backoff=2m', 'x'], /--backoff: "2m" is not allowed; allowed: a duration from 10ms to 1m/],
    [['--limit-by=hand', 'x'], /--limit-by: "hand" is not allowed; allowed: cgroup, systemd-run, node/],
    [['--memroy=1G', 'x'], /unknown option "--memroy"/],
  ] as const)
    assert.throws(() => parseRun(args), { name: 'UseError', message });
});
