import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { runCommand } from '../../src/cli/commands.ts';
import { parseQuery } from '../../src/cli/query-arguments.ts';
import { serve, storeOf, T0 } from '../api/server.ts';
import { folder, world } from './fixture.ts';

const SECOND = T0 / 1000;
const queryable = storeOf([
  [{ __name__: 'depth', queue: 'mail' }, (tick) => tick],
  [{ __name__: 'depth', queue: 'a\\"b' }, (tick) => (tick === 19 ? 1 / 3 : 100)],
  [{ __name__: 'up' }, () => Number.NaN],
]);
const { port } = await serve({ queryable });
const guarded = await serve({ queryable, token: 's3cret' });
const cwd = folder({
  token: 's3cret\n',
  'taskwarden.yaml': `http: 127.0.0.1:${guarded.port}\nhttp_token_file: token\n`,
});
const bare = folder({ token: 's3cret\n' });

async function query(args: string[], { env = {}, at = bare } = {}) {
  const { io, stdout, stderr } = world(at, env);
  const code = await runCommand(['query', ...args], io);
  return { code, stdout: stdout(), stderr: stderr() };
}
const url = ['--url', `127.0.0.1:${port}`];
const RANGE = ['--start', String(SECOND), '--end', String(SECOND + 95)];

test('an instant vector is a table', async () => {
  const time = ['--time', '2023-11-14T22:14:55Z'];
  const { code, stdout, stderr } = await query([...url, 'depth', ...time]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  assert.deepEqual(stdout.split('\n'), [
    '             VALUE  SERIES',
    '                19  depth{queue="mail"}',
    '0.3333333333333333  depth{queue="a\\\\\\"b"}',
  ]);
});

test('a range is a line for each series', async () => {
  const { code, stdout } = await query([...url, 'depth or up', ...RANGE, '--step', '5s']);
  assert.equal(code, 0);
  assert.deepEqual(stdout.split('\n'), [
    '     MIN  MAX      LAST  TREND                 SERIES',
    '0.333333  100  0.333333  ███████████████████▁  depth{queue="a\\\\\\"b"}',
    '       0   19        19  ▁▁▂▂▂▃▃▄▄▄▅▅▅▆▆▇▇▇██  depth{queue="mail"}',
    '       -    -       NaN                        up',
  ]);
});

test('scalars, strings, nothing', async () => {
  assert.deepEqual(await query([...url, '1 + 1']), { code: 0, stdout: '2', stderr: '' });
  assert.deepEqual(await query([...url, '"text"']), { code: 0, stdout: 'text', stderr: '' });
  assert.deepEqual(await query([...url, 'nothing']), { code: 0, stdout: '', stderr: 'no series' });
});

test('--json is the data of the answer, in one line', async () => {
  const { stdout } = await query([...url, '--json', 'depth{queue="mail"}', '--time', String(SECOND + 5)]);
  assert.deepEqual(JSON.parse(stdout), {
    resultType: 'vector',
    result: [{ metric: { __name__: 'depth', queue: 'mail' }, value: [SECOND + 5, '1'] }],
  });
  const range = JSON.parse((await query([...url, '--json', 'depth', ...RANGE])).stdout);
  assert.equal(range.result[0].values.length, 96);
});

test('a mistake in the expression is shown where it is', async () => {
  assert.deepEqual(await query([...url, 'sum(\n\trate(depth))']), {
    code: 1,
    stdout: '',
    stderr: [
      'taskwarden: 2:7: parse error: expected type range vector in call to function "rate", got instant vector',
      '  \trate(depth))',
      '  \t     ^',
    ].join('\n'),
  });
  const execution = await query([...url, 'depth * on () depth', '--time', String(SECOND)]);
  assert.equal(execution.code, 1);
  assert.match(execution.stderr, /^taskwarden: [^\n]*duplicate[^\n]*$/);
});

test('address and token are those of the configuration in the folder, or of its variables', async () => {
  assert.equal((await query(['1'], { at: cwd })).stdout, '1');
  const env = { TASKWARDEN_HTTP: `:${guarded.port}`, TASKWARDEN_HTTP_TOKEN: 's3cret' };
  assert.equal((await query(['1'], { env })).stdout, '1');
  const everywhere = { ...env, TASKWARDEN_HTTP: `0.0.0.0:${guarded.port}` };
  assert.equal((await query(['1'], { env: everywhere })).stdout, '1');
});

test('that token goes nowhere else', async () => {
  const there = ['--url', `http://127.0.0.1:${guarded.port}/`];
  const refused = await query([...there, '1'], { at: cwd });
  assert.deepEqual(
    [refused.code, refused.stderr],
    [1, 'taskwarden: a token is needed: Authorization: Bearer …'],
  );
  assert.equal((await query([...there, '--token-file', 'token', '1'])).stdout, '1');
});

test('nobody there, or somebody else', async () => {
  const other = createServer((_, response) => void response.end('<html>'));
  await new Promise<void>((listening) => void other.listen(0, '127.0.0.1', listening));
  after(() => other.close());
  const { port: foreign } = other.address() as AddressInfo;
  const answer = await query(['--url', `127.0.0.1:${foreign}`, '1']);
  assert.equal(answer.code, 1);
  assert.match(answer.stderr, /is no Prometheus HTTP API: status 200/);
  other.close();
  other.closeAllConnections();
  const none = await query(['--url', `127.0.0.1:${foreign}`, '1']);
  assert.equal(none.code, 1);
  assert.match(
    none.stderr,
    /^taskwarden: no answer from http:\/\/127\.0\.0\.1:\d+: .*; a worker opens it with TASKWARDEN_HTTP/,
  );
});

test('wrong use', async () => {
  for (const [args, message] of [
    [[], /query needs an expression/],
    [['a', 'b'], /query takes one expression; quote it: "a b"/],
    [['a', '--steps', '1'], /Unknown option '--steps'/],
    [['a', '--time', 'noon'], /--time: "noon" is no time/],
    [['a', '--time', 'now-x'], /--time: "now-x" is no time/],
    [['a', '--time', '1', '--start', '1'], /--time asks at a moment/],
    [['a', '--step', '1'], /a range needs --start/],
    [['a', '--start', '5', '--end', '4'], /--end must not be before --start/],
    [['a', '--start', '5', '--step', 'x'], /--step: "x" is no duration/],
    [['a', '--url', 'http://:'], /--url: "http:\/\/:" is no URL/],
    [['a', '--url', ...url.slice(1), '--token-file', 'none'], /ENOENT/],
  ] as [string[], RegExp][]) {
    const { code, stdout, stderr } = await query(args);
    assert.deepEqual([code, stdout], [2, ''], args.join(' '));
    assert.match(stderr, message);
    assert.match(stderr, /Usage:\n {2}taskwarden query/);
  }
  assert.match(
    (await query(['1'], { env: { TASKWARDEN_HTTP: ':0' } })).stderr,
    /--url must name the one meant/,
  );
  assert.match(
    (await query(['1'], { env: { TASKWARDEN_HTTP: 'x' } })).stderr,
    /TASKWARDEN_HTTP: "x" is not allowed/,
  );
  assert.match((await query(['--help'])).stdout, /^Usage:\n {2}taskwarden query/);
});

test('times', () => {
  const asked = (...args: string[]) => parseQuery(['x', ...args], T0).asked;
  assert.deepEqual(asked(), { expr: 'x', time: T0 });
  assert.deepEqual(asked('--time', 'now-1h30m'), { expr: 'x', time: T0 - 5_400_000 });
  assert.deepEqual(asked('--time', '1.5'), { expr: 'x', time: 1500 });
  const range = { expr: 'x', start: T0 - 15 * 60_000, end: T0 };
  assert.deepEqual(asked('--start', 'now-15m'), { ...range, step: 3000 });
  assert.deepEqual(asked('--start', 'now-15m', '--step', '250ms'), { ...range, step: 250 });
  assert.deepEqual(asked('--start', 'now-15m', '--step', '0.5'), { ...range, step: 500 });
  assert.equal((asked('--start', 'now-5s', '--end', 'now') as { step: number }).step, 1000);
});
