import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCommand } from '../../src/cli/commands.ts';
import { parseWatch } from '../../src/cli/watch-arguments.ts';

const KNOWN = ['bullmq', 'bull', 'asynq'];

test('all that watch takes', () => {
  const asked = parseWatch(
    [
      ...['--redis', 'redis://a', '--redis', 'redis://b', '--rules', 'x.yaml', '--interval', '2s'],
      ...['--system', 'bullmq', '--system', 'asynq', '--prefix', 'bullmq=a', '--prefix', 'bullmq=b=c'],
      ...['--queue', 'asynq=critical', '--read-from', 'replica'],
    ],
    KNOWN,
  );
  assert.deepEqual(asked, {
    help: false,
    redis: ['redis://a', 'redis://b'],
    readFrom: 'replica',
    rules: ['x.yaml'],
    interval: 2000,
    selections: [
      { system: 'bullmq', prefix: 'a', queues: [] },
      { system: 'bullmq', prefix: 'b=c', queues: [] },
      { system: 'asynq', prefix: undefined, queues: ['critical'] },
    ],
  });
  assert.deepEqual(
    parseWatch(['--redis', 'redis://a'], KNOWN).selections.map(({ system }) => system),
    KNOWN,
  );
});

for (const [args, why] of [
  [['here'], 'takes no argument "here"'],
  [['--redis'], '--redis'],
  [['--interval', '10ms'], '--interval: "10ms" is not allowed'],
  [['--read-from', 'secondary'], 'allowed: primary, replica'],
  [['--system', 'celery'], 'known: bullmq, bull'],
  [['--prefix', 'bullmq'], 'NAME=TEXT'],
  [['--queue', 'celery=x'], 'NAME is one of bullmq'],
  [['--system', 'bull', '--queue', 'asynq=x'], 'is not watched'],
] as const)
  test(`${args.join(' ')} is wrong use`, () => {
    assert.throws(
      () => parseWatch(args, KNOWN),
      ({ message }: Error) => message.includes(why),
    );
  });

test('without an address, or with one that cannot be read, watch says so and ends', async () => {
  const run = async (...args: string[]) => {
    const err: string[] = [];
    const code = await runCommand(['watch', ...args], {
      cwd: import.meta.dirname,
      env: {},
      out: () => {},
      err: (line) => err.push(line),
    });
    return { code, err: err.join('\n') };
  };
  const missing = await run();
  assert.equal(missing.code, 2);
  assert.match(missing.err, /needs --redis/);
  const wrong = await run('--redis', 'redis://:s3cret@host:0');
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, /port 0 is not allowed/);
  assert.doesNotMatch(wrong.err, /s3cret/);
  const rules = await run('--redis', 'redis://host', '--rules', 'missing.yaml');
  assert.equal(rules.code, 1);
  assert.match(rules.err, /missing/);
});
