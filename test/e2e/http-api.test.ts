import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { askPort } from '../api/server.ts';
import { portOf, start, told } from '../fixtures/api/start.ts';
import { CLI } from '../helpers/built.ts';

const run = promisify(execFile);
const PROMTOOL = spawnSync('promtool', ['--version']).error === undefined;

const worker = start('worker.ts', { TASKWARDEN_HTTP: ':0', OTEL_SERVICE_NAME: 'shop' });
const port = await portOf(worker);
const url = `http://127.0.0.1:${port}`;

async function query(expr: string): Promise<{ metric: Record<string, string>; value: [number, string] }[]> {
  const { json } = await askPort(port, `/api/v1/query?query=${encodeURIComponent(expr)}`);
  assert.equal(json.status, 'success', JSON.stringify(json));
  return json.data.result;
}

/** Fulfils when the expression has a result. */
async function until(expr: string) {
  for (;;) {
    const result = await query(expr);
    if (result.length > 0) return result;
    await new Promise((later) => setTimeout(later, 20));
  }
}

test('the port that was taken is a metric', async () => {
  const [sample] = await until('taskwarden_http_port');
  assert.equal(sample!.value[1], String(port));
  assert.equal(sample!.metric.job, 'shop');
});

test('promtool asks it as it asks a Prometheus', {
  skip: !PROMTOOL && 'promtool is not on PATH',
}, async () => {
  worker.tell('hold');
  await until('task_active == 1');
  const promtool = async (...args: string[]) => (await run('promtool', ['query', ...args])).stdout;
  assert.match(
    await promtool('instant', url, 'task_active'),
    /^task_active\{.*task_name="hold".*\} => 1 @\[/,
  );
  assert.match(await promtool('range', url, 'task_active'), /^task_active\{.*\} =>\n1 @\[/);
  assert.match(await promtool('series', '--match=task_active', url), /__name__="task_active".*job="shop"/);
  assert.match(await promtool('labels', url, 'task_name'), /^hold$/m);
  await assert.rejects(promtool('instant', url, 'sum('), /bad_data: invalid parameter .*1:5: parse error/);
});

test('it answers while the event loop of the worker is blocked', async () => {
  worker.tell('block');
  const [sample] = await until('task_blocking == 1 or task_active{task_name="block"} == 1');
  assert.equal(sample!.metric.task_name, 'block');
  const { stdout } = await run(process.execPath, [
    CLI,
    'query',
    '--url',
    url,
    'task_active{task_name="block"}',
  ]);
  assert.match(stdout, /^VALUE {2}SERIES\n {4}1 {2}task_active\{.*task_name="block".*\}\n$/);
});

test('a port in use is a warning; the program runs, and ends when it is done', async () => {
  const second = start('worker.ts', { TASKWARDEN_HTTP: `127.0.0.1:${port}` });
  await told(
    second,
    /taskwarden: the HTTP API is not there: .*EADDRINUSE.*; jobs are not affected, and it is tried again/,
  );
  await second.said('ready');
  second.child.stdin!.end();
  assert.equal((await second.ended).code, 0);
});

test('beyond the loopback interface it does not start without a token', async () => {
  const refused = start('worker.ts', { TASKWARDEN_HTTP: '0.0.0.0:0' });
  const { code, stderr, stdout } = await refused.ended;
  assert.notEqual(code, 0);
  assert.ok(!stdout.includes('ready'));
  assert.match(stderr, /http: "0\.0\.0\.0:0" can be reached from other machines and needs http_token/);

  const guarded = start('worker.ts', { TASKWARDEN_HTTP: '0.0.0.0:0', TASKWARDEN_HTTP_TOKEN_FILE: 'token' });
  const own = await portOf(guarded);
  const ask = async (headers: Record<string, string>) =>
    (await askPort(own, '/api/v1/query?query=1', { headers })).status;
  assert.equal(await ask({}), 401);
  assert.equal(await ask({ Authorization: 'Bearer wrong' }), 401);
  assert.equal(await ask({ Authorization: 'Bearer s3cret' }), 200);
  assert.equal(await ask({ Authorization: 'Bearer s3cret', Host: 'evil.example' }), 403);
  if (PROMTOOL) {
    const header = '--header=Authorization=Bearer s3cret';
    const { stdout } = await run('promtool', ['query', 'range', header, `http://127.0.0.1:${own}`, '1+1']);
    assert.match(stdout, /^\{\} =>\n2 @\[/);
  }

  // An open server keeps no program alive.
  guarded.child.stdin!.end();
  assert.equal((await guarded.ended).code, 0);
  await assert.rejects(askPort(own, '/healthz'), /ECONNREFUSED/);
});
