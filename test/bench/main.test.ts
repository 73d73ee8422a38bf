import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../bench/main.ts', import.meta.url));

const bench = (...args: string[]) => spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });

test('wrong use ends with 2 and says what is wrong, before anything is measured', () => {
  const wrong: [string[], RegExp][] = [
    [[], /exactly one NAME/],
    [['overhead', 'detection'], /exactly one NAME/],
    [['nothing'], /no bench "nothing"/],
    [['overhead', '--case', 'block'], /overhead has no case "block"/],
    [['overhead', '--rounds', '0'], /--rounds is a number from 1, not "0"/],
    [['overhead', '--unknown'], /--unknown/],
    [['overhead', '--preload', '/nonexistent/register.js'], /\/nonexistent\/register\.js is missing/],
  ];
  for (const [args, message] of wrong) {
    const { status, stdout, stderr } = bench(...args);
    assert.equal(status, 2, args.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, message);
    assert.match(stderr, /npm run bench -- NAME/);
  }
});

test('--help lists every bench and case', () => {
  const { status, stdout } = bench('--help');
  assert.equal(status, 0);
  assert.match(stdout, /overhead \| detection \| attribution \| rules \| queues \| all/);
  assert.match(
    stdout,
    /noop, io, start, installed, block, stack, watching, false-alerts, crash, memory, exact, sampled, hops, network, handles, leak, tick, shipped, each, memory, growth, api, prometheus, truth, cost, many, latency, asynq/,
  );
});
