import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Queue } from 'bullmq';
import { REGISTER } from '../helpers/built.ts';
import { freePort } from '../helpers/free-port.ts';
import { EXACT } from '../helpers/main-side.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';
import { startRedis } from '../helpers/redis.ts';
import {
  type Ended,
  type Program,
  type ProgramOptions,
  runProgram,
  startProgram,
} from '../helpers/worker.ts';

const FIXTURES = resolve(import.meta.dirname, '../fixtures/preload');

const redis = await startRedis();
const server = createServer((_, response) => response.end('hello'))
  .listen(0, '127.0.0.1')
  .unref();
const queues: Queue[] = [];
const sinks: OtlpSink[] = [];
after(async () => {
  await Promise.all([...queues.map((queue) => queue.close()), ...sinks.map((sink) => sink.down())]);
  await redis.stop();
  server.closeAllConnections();
  server.close();
});

interface Scenario {
  readonly queue: Queue;
  readonly sink: OtlpSink;
  readonly program: Program;
  /** Has one job done, waits for its metrics if it is metered, and has the worker closed after a second one. */
  end(metered?: boolean): Promise<Ended>;
}

/** A program as a user starts it; `args` are told the name of the queue. */
async function start(
  file: string,
  options: ProgramOptions = {},
  args = (queue: string): string[] => [queue],
): Promise<Scenario> {
  const sink = await startSink();
  sinks.push(sink);
  const name = `preload-${queues.length}`;
  const queue = new Queue(name, { connection: { url: redis.url } });
  queues.push(queue);
  const env = { OTEL_METRIC_EXPORT_INTERVAL: '100', ...options.env };
  const program = startProgram(resolve(FIXTURES, file), { ...options, sink, redis, args: args(name), env });
  const data = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  return {
    queue,
    sink,
    program,
    async end(metered = true) {
      await queue.add('greet', data);
      if (metered) await sink.waitFor(() => runs(sink).has('greet'));
      await queue.add('end', data);
      return program.ended;
    },
  };
}

/** Count of runs by task. */
function runs(sink: OtlpSink): Map<unknown, number> {
  const points = sink.metrics.filter(({ name }) => name === 'task.runs');
  const counts = new Map<unknown, number>();
  for (const { attributes, value } of points) {
    const { 'task.name': task } = attributes;
    counts.set(task, Math.max(counts.get(task) ?? 0, value));
  }
  return counts;
}

/** That each of the two jobs has one span and one run, with its CPU time, all from one process. */
function assertMetered({ queue, sink }: Scenario): void {
  const spans = sink.spans.filter(({ kind }) => kind === 5);
  assert.deepEqual(spans.map(({ attributes }) => attributes['task.name']).sort(), ['end', 'greet']);
  for (const { name, attributes } of spans) {
    assert.equal(name, `process ${queue.name}`);
    // Of some 30 ms of work.
    assert.ok(Number(attributes['task.cpu.time']) > 0.002, `CPU time ${attributes['task.cpu.time']}`);
  }
  assert.deepEqual(Object.fromEntries(runs(sink)), { greet: 1, end: 1 });
  const counted = sink.metrics.filter(({ name }) => name === 'task.runs');
  const processes = [...spans, ...counted].map(({ resource }) => resource['process.pid']);
  assert.equal(new Set(processes).size, 1);
}

describe('a worker of each kind is metered', { concurrency: 3 }, () => {
  for (const [file, preload] of [
    ['worker.mjs', 'import'],
    ['worker.cjs', 'import'],
    ['worker.ts', 'import'],
    ['worker.mjs', 'require'],
    ['worker.cjs', 'require'],
    ['worker.ts', 'NODE_OPTIONS'],
  ] as const) {
    test(`${file} by ${preload}`, async () => {
      const scenario = await start(file, { preload });
      const { code, stdout, stderr } = await scenario.end();
      assert.deepEqual([code, stdout, stderr], [0, 'closed\n', '']);
      assertMetered(scenario);
    });
  }
});

describe('a worker whose modules others load is metered', { concurrency: 3 }, () => {
  const ways: Readonly<Record<string, [file: string, options: ProgramOptions]>> = {
    'TypeScript by tsx, loaded before': ['worker.ts', { before: ['--import', 'tsx'] }],
    'TypeScript by tsx, loaded after': ['worker.ts', { after: ['--import', 'tsx'] }],
    'a program that imports the preload itself': ['imports.mjs', { preload: 'none' }],
  };
  for (const [way, [file, options]] of Object.entries(ways)) {
    test(way, async () => {
      const scenario = await start(file, options);
      const { code, stdout, stderr } = await scenario.end();
      assert.deepEqual([code, stdout, stderr], [0, 'closed\n', '']);
      assertMetered(scenario);
    });
  }
});

describe('a worker in a process or thread of its own is metered there', { concurrency: 3 }, () => {
  for (const [way, preload] of [
    ['fork', 'import'],
    ['cluster', 'NODE_OPTIONS'],
    ['thread', 'import'],
    ['thread', 'NODE_OPTIONS'],
  ] as const) {
    test(`${way} by ${preload}`, async () => {
      const scenario = await start('parent.mjs', { preload }, (queue) => [way, queue]);
      const { code, stdout, stderr } = await scenario.end();
      assert.deepEqual([code, stdout, stderr], [0, 'closed\nchild ended with code 0\n', '']);
      assertMetered(scenario);
      const { pid } = scenario.program.child;
      const inParent = scenario.sink.spans.every(({ resource }) => resource['process.pid'] === pid);
      assert.equal(inParent, way === 'thread');
    });
  }

  for (const kind of ['processes', 'threads']) {
    for (const preload of ['import', 'NODE_OPTIONS'] as const) {
      test(`sandboxed processors in ${kind} by ${preload}`, async () => {
        const scenario = await start('sandbox.mjs', { preload }, (queue) => [queue, kind]);
        const { code, stdout, stderr } = await scenario.end();
        const who = kind === 'threads' ? 'this' : 'another';
        assert.deepEqual([code, stdout, stderr], [0, `greet by ${who} process\nend by ${who} process\n`, '']);
        assertMetered(scenario);
        for (const { attributes } of scenario.sink.spans)
          assert.equal(attributes['task.network.requests'], 1);
      });
    }
  }

  test('nothing is lost of threads that end at once', async () => {
    const sink = await startSink();
    sinks.push(sink);
    const env = { OTEL_METRIC_EXPORT_INTERVAL: '100' };
    const program = startProgram(resolve(FIXTURES, 'threads.ts'), { sink, env, args: ['8'] });
    await sink.waitFor(() => sink.metrics.length > 0);
    program.tell('go on');
    const { code, stderr } = await program.ended;
    assert.deepEqual([code, stderr], [0, '']);
    const expected = Array.from({ length: 8 }, (_, i) => `thread ${i}`);
    assert.deepEqual(sink.spans.map(({ attributes }) => attributes['messaging.message.id']).sort(), expected);
    assert.deepEqual(Object.fromEntries(runs(sink)), { tidy: 8 });
  });

  test('a thread that is terminated is not taken for a blocked one', async () => {
    const env = { TASKWARDEN_WATCH_THRESHOLD: '100ms' };
    const { sink, program, queue } = await start('parent.mjs', { env }, (name) => ['terminate', name]);
    await queue.add('greet', {});
    await sink.waitFor(() => runs(sink).has('greet'));
    program.tell('terminate');
    await program.said('child ended');
    const exports = sink.requests.length;
    // An export is 100 ms after the one before: that is well beyond the threshold.
    await sink.waitFor(() => sink.requests.length > exports + 5);
    program.tell('end');
    await program.ended;
    const blocked = sink.metrics.filter(({ name, value }) => name === 'task.event_loop.blocked' && value > 0);
    assert.deepEqual(
      blocked.map(({ value }) => value),
      [],
    );
  });
});

describe('the preload does nothing', { concurrency: 3 }, () => {
  const state = async (options: ProgramOptions): Promise<Record<string, unknown>> => {
    const { stdout, stderr } = await runProgram(resolve(FIXTURES, 'state.mjs'), options);
    assert.equal(stderr, '');
    return JSON.parse(stdout);
  };

  test('unlike what it does by default', async () => {
    const [bare, preloaded] = await Promise.all([state({ preload: 'none' }), state({})]);
    for (const part of ['globals', 'patches', 'agent', 'listeners'])
      assert.notDeepEqual(preloaded[part], bare[part], part);
  });

  for (const [name, value] of [
    ['TASKWARDEN_ENABLED', 'false'],
    ['OTEL_SDK_DISABLED', 'true'],
  ] as const) {
    test(`with ${name}=${value}`, async () => {
      const [bare, disabled] = await Promise.all([
        state({ preload: 'none' }),
        state({ env: { [name]: value } }),
      ]);
      assert.deepEqual(disabled, bare);
    });
  }
});

/** A preload that runs before ours. */
const before = (code: string): string[] => ['--import', `data:text/javascript,${encodeURIComponent(code)}`];

describe('where Taskwarden cannot start the program runs without it', { concurrency: 3 }, () => {
  test('in an old Node.js, which is said once a process', async () => {
    const old = `const versions = { ...process.versions, node: '20.20.2' };
      Object.defineProperty(process, 'versions', { value: versions });`;
    const scenario = await start('parent.mjs', { before: before(old) }, (queue) => ['thread', queue]);
    const { code, stdout, stderr } = await scenario.end(false);
    assert.deepEqual([code, stdout], [0, 'closed\nchild ended with code 0\n']);
    assert.match(stderr, /^taskwarden: .*Node\.js >=22\.15 .* is needed, and this is 20\.20\.2\n$/);
    assert.equal(scenario.sink.requests.length, 0);
  });

  test('for any other reason, and what had begun has ended', async () => {
    const broken = `Object.defineProperty(process, 'prependListener', { value() { throw new Error('not today'); } });`;
    const scenario = await start('worker.mjs', { before: before(broken) });
    // An agent would have exported several times by then.
    await setTimeout(1500);
    const { code, stdout, stderr } = await scenario.end(false);
    assert.deepEqual([code, stdout], [0, 'closed\n']);
    assert.match(stderr, /^taskwarden: cannot start, the program runs without it: Error: not today\n/);
    assert.deepEqual(scenario.sink.requests, []);
  });
});

test('ten listeners of the host are no leak', () => {
  const program = `for (const event of ['exit', 'SIGTERM', 'SIGINT', 'SIGHUP', 'uncaughtExceptionMonitor', 'worker'])
    for (let i = 0; i < 10; i++) process.on(event, () => {});`;
  const args = ['--import', pathToFileURL(REGISTER).href, '-e', program];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.deepEqual([status, stderr], [0, '']);
});

test('standard output stays as it is: a program that writes by descriptor waits for a slow reader', () => {
  const program = `setTimeout(() => {
    const line = 'x'.repeat(1023) + '\\n';
    for (let i = 0; i < 300; i++) require('fs').writeSync(1, line);
  }, 300)`;
  for (const preload of ['', `--import ${pathToFileURL(REGISTER)}`]) {
    const { status, stdout, stderr } = spawnSync(
      'bash',
      ['-c', `set -o pipefail; '${process.execPath}' ${preload} -e "$PROGRAM" | { sleep 1; wc -c; }`],
      { encoding: 'utf8', env: { ...process.env, PROGRAM: program } },
    );
    assert.deepEqual([status, Number(stdout), stderr], [0, 300 * 1024, '']);
  }
});

test('what an older library has done to Object.prototype does not keep the program from running', () => {
  const before = 'data:text/javascript,Object.prototype.added = "by a library"';
  for (const preload of [
    ['--import', pathToFileURL(REGISTER).href],
    ['--require', REGISTER.replace(/js$/, 'cjs')],
  ]) {
    const args = ['--import', before, ...preload, '-e', 'setTimeout(() => console.log("hello"), 100)'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    assert.deepEqual([status, stdout, stderr], [0, 'hello\n', '']);
  }
});

test('a process that begins from a snapshot runs without, as Node.js aborts it with another thread', () => {
  const folder = mkdtempSync(resolve(tmpdir(), 'taskwarden-snapshot-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const [script, blob] = [resolve(folder, 'main.js'), resolve(folder, 'main.blob')];
  writeFileSync(
    script,
    `require('v8').startupSnapshot.setDeserializeMainFunction(() => setTimeout(() => console.log('ran'), 200))`,
  );
  const run = (...args: string[]) => spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(run('--snapshot-blob', blob, '--build-snapshot', script).status, 0);
  const preload = REGISTER.replace(/js$/, 'cjs');
  const { status, stdout, stderr } = run('--require', preload, '--snapshot-blob', blob, script);
  assert.deepEqual([status, stdout], [0, 'ran\n']);
  assert.match(stderr, /^taskwarden: cannot start, the program runs without it: .*snapshot.*\n$/);
});

test('where the address space has no room for a thread the program runs without, for V8 would end it', () => {
  const [node, preload] = [process.execPath, pathToFileURL(REGISTER).href];
  const run = (kib: number) =>
    spawnSync('sh', ['-c', `ulimit -v ${kib}; exec '${node}' --import ${preload} -e 'console.log(1)'`], {
      encoding: 'utf8',
    });
  const { status, stdout, stderr } = run(1_700_000);
  assert.deepEqual([status, stdout], [0, '1\n']);
  assert.match(stderr, /^taskwarden: cannot start, the program runs without it: .* have 1\.6 GiB .*\n$/);
  const wide = run(4_000_000);
  assert.deepEqual([wide.status, wide.stdout, wide.stderr], [0, '1\n', '']);
});

test('npm with the preload in its environment leaves port and name to the worker', async (t) => {
  const npm = spawnSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).stdout.trim();
  if (npm === '') return t.skip('npm is not installed');
  const folder = mkdtempSync(resolve(tmpdir(), 'taskwarden-npm-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const script = `${process.execPath} ${resolve(FIXTURES, 'worker.mjs')}`;
  writeFileSync(resolve(folder, 'package.json'), JSON.stringify({ scripts: { start: script } }));
  const scenario = await start(
    npm,
    { preload: 'NODE_OPTIONS', cwd: folder, env: { TASKWARDEN_HTTP: `127.0.0.1:${await freePort()}` } },
    (queue) => ['--silent', 'start', '--', queue],
  );
  const { code, stdout, stderr } = await scenario.end();
  assert.deepEqual([code, stdout, stderr], [0, 'closed\n', '']);
  const processes = scenario.sink.metrics.map(({ resource }) => resource['process.pid']);
  assert.equal(new Set(processes).size, 1);
  assert.ok(!processes.includes(scenario.program.child.pid));
});

describe('a second preload does no harm', { concurrency: 3 }, () => {
  const ways: Readonly<Record<string, ProgramOptions>> = {
    'by import and require': { before: ['--require', REGISTER] },
    'by import and NODE_OPTIONS': { env: { NODE_OPTIONS: `--import ${pathToFileURL(REGISTER)}` } },
    'another copy': { after: ['--import', pathToFileURL(resolve(copyOfSources(), 'register.ts')).href] },
  };
  for (const [way, options] of Object.entries(ways)) {
    test(way, async () => {
      const scenario = await start('worker.mjs', options);
      const { code, stdout, stderr } = await scenario.end();
      assert.deepEqual([code, stdout, stderr], [0, 'closed\n', '']);
      assertMetered(scenario);
    });
  }
});

/** A second copy of the package, as two versions in one tree are. */
function copyOfSources(): string {
  const folder = mkdtempSync(resolve(tmpdir(), 'taskwarden-copy-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const root = resolve(import.meta.dirname, '../..');
  cpSync(resolve(root, 'src'), resolve(folder, 'src'), { recursive: true });
  cpSync(resolve(root, 'package.json'), resolve(folder, 'package.json'));
  return resolve(folder, 'src');
}

describe('options of Node.js', { concurrency: 3 }, () => {
  // Node.js 22 has AsyncContextFrame as an experiment, later ones have a way back from it.
  const other = ['--no-async-context-frame', '--experimental-async-context-frame'].find((flag) =>
    process.allowedNodeEnvironmentFlags.has(flag),
  )!;
  test(other, async () => {
    const scenario = await start('worker.mjs', { before: [other] });
    const { code, stdout, stderr } = await scenario.end();
    assert.deepEqual([code, stdout, stderr], [0, 'closed\n', '']);
    assertMetered(scenario);
  });

  // Node.js 26 asks for leave to use the network, too.
  const net = process.allowedNodeEnvironmentFlags.has('--allow-net') ? ['--allow-net'] : [];
  const permission = ['--disable-warning=SecurityWarning', '--disable-warning=ExperimentalWarning'].concat(
    ['--permission', '--allow-fs-read=*'],
    net,
  );

  test('--permission, with --allow-worker', async () => {
    const scenario = await start('worker.mjs', { before: [...permission, '--allow-worker'] });
    const { code, stdout, stderr } = await scenario.end();
    assert.deepEqual([code, stdout], [0, 'closed\n']);
    // Where CPU time cannot be exact it is sampled, which takes the inspector.
    assert.match(stderr, EXACT ? /^$/ : /^taskwarden: .*CPU time cannot be sampled.*--allow-inspector.*\n$/);
    assertMetered(scenario);
  });

  test('--permission without it: the worker runs, and says why it is not metered', async () => {
    const scenario = await start('worker.mjs', { before: permission });
    const { code, stdout, stderr } = await scenario.end(false);
    assert.deepEqual([code, stdout], [0, 'closed\n']);
    assert.match(stderr, /^taskwarden: .*needs --allow-worker\n$/);
    assert.equal(scenario.sink.requests.length, 0);
  });

  test('what Yarn has set up to find packages is set up in the agent thread, too', async () => {
    const { stderr, stdout } = await (
      await start('worker.mjs', { before: ['--require', resolve(FIXTURES, 'pnp.cjs')] })
    ).end();
    assert.deepEqual([stdout, stderr], ['closed\n', 'pnp in a thread\n']);
  });

  test('a library that an earlier preload has loaded', async () => {
    const bullmq = createRequire(import.meta.url).resolve('bullmq');
    const scenario = await start('worker.cjs', { before: ['--require', bullmq] });
    assert.equal((await scenario.end()).code, 0);
    assertMetered(scenario);
  });
});
