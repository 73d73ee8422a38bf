import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { importing, linesOf, runFixture } from '../fixtures/bullmq/run.ts';
import { startSink } from '../helpers/otlp-sink.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';
import { runProgram } from '../helpers/worker.ts';

describe('copies of BullMQ', () => {
  let redis: RedisServer;
  before(async () => {
    redis = await startRedis();
  });
  after(() => redis.stop());

  for (const library of ['bullmq5', 'bullmq']) {
    const folder = new URL(`../../node_modules/${library}/`, import.meta.url);
    for (const [copy, specifier, options] of [
      ['CommonJS, imported', library, []],
      ['ESM', new URL('dist/esm/index.js', folder).href, [importing('folders.ts')]],
    ] as const) {
      test(`${library}, ${copy}: runs are seen, and handlers see what they would without us`, async () => {
        const sink = await startSink();
        const ended = await runFixture('plain.ts', sink, {
          redis,
          after: options,
          env: { BULLMQ: specifier },
        });
        await sink.down();
        assert.equal(ended.code, 0, ended.stderr);
        assert.equal(ended.stderr, '');
        assert.deepEqual(sink.spans.map(({ name, attributes }) => [name, attributes['task.name']]).sort(), [
          ['process plain', 'cancelled'],
          ['process plain', 'one'],
          ['process plain', 'two'],
        ]);
        const bare = await runProgram(join(import.meta.dirname, '../fixtures/bullmq/plain.ts'), {
          redis,
          preload: 'none',
          after: options,
          env: { BULLMQ: specifier },
        });
        const seen = linesOf(ended);
        assert.deepEqual(seen, linesOf(bare));
        assert.deepEqual(seen, [
          {
            'one signal': true,
            'one returned': { by: 'with3' },
            'cancelled signal': true,
            aborted: [true, 'enough'],
            'cancelled returned': { by: 'with3' },
            'given to one of none': [3, null],
          },
        ]);
      });
    }
  }

  test('runs that end before the agent has its exporters are exported when it has them', async () => {
    const sink = await startSink();
    // Nobody tells it to begin: it does at once.
    const ended = await runProgram(join(import.meta.dirname, '../fixtures/bullmq/plain.ts'), { redis, sink });
    await sink.down();
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal(sink.spans.length, 3);
  });
});

describe('packages that are not what they seem', { concurrency: 2 }, () => {
  const root = mkdtempSync(join(tmpdir(), 'taskwarden-packages-'));
  after(() => rmSync(root, { recursive: true, force: true }));
  const write = (path: string, content: string): string => {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    return file;
  };
  const worker =
    'exports.Worker = class Worker { callProcessJob(job) { return this.processFn(job); } createJob() {} };';
  const program = (specifier: string): string => `
    const { Worker } = require('${specifier}');
    const { ChildProcessor } = require('${specifier}/child');
    const { callProcessJob } = Worker.prototype;
    console.log(JSON.stringify({ text: callProcessJob.toString().includes('this.processFn(job)'), child: typeof ChildProcessor }));
    new Worker().callProcessJob.call({ name: 'q', opts: {}, processFn: () => 'ran' }, { id: 1, name: 'n' });`;
  const install = (folder: string, manifest: object, source = worker): void => {
    write(`${folder}/package.json`, JSON.stringify({ main: 'dist/cjs/classes/worker.js', ...manifest }));
    write(`${folder}/dist/cjs/classes/worker.js`, source);
    write(`${folder}/dist/cjs/classes/child-processor.js`, 'exports.ChildProcessor = class { start() {} };');
    write(`${folder}/child.js`, `module.exports = require('./dist/cjs/classes/child-processor.js');`);
  };

  for (const version of ['1.91.1', '7.0.0']) {
    test(`version ${version} is left alone, with one warning`, async () => {
      install(`${version}/node_modules/bullmq`, { name: 'bullmq', version });
      const file = write(`${version}/main.cjs`, program('bullmq'));
      const { code, stdout, stderr } = await runProgram(file);
      assert.equal(code, 0, stderr);
      assert.deepEqual(JSON.parse(stdout), { text: true, child: 'function' });
      assert.equal(stderr, `taskwarden: bullmq ${version} is not instrumented: supported are >=5 <7\n`);
    });
  }

  test('another package with files of the same names is none of ours', async () => {
    install('other/node_modules/lookalike', { name: 'lookalike', version: '5.1.0' });
    const file = write('other/main.cjs', program('lookalike'));
    const { code, stdout, stderr } = await runProgram(file);
    assert.deepEqual([code, stderr, JSON.parse(stdout).text], [0, '', true]);
  });

  test('a supported version whose insides are not as expected is reported, and works', async () => {
    install(
      'odd/node_modules/bullmq',
      { name: 'bullmq', version: '5.999.0' },
      'exports.Worker = class Worker { callProcessJob(job) { return this.processFn(job); } };',
    );
    const file = write('odd/main.cjs', program('bullmq'));
    const { code, stdout, stderr } = await runProgram(file);
    assert.deepEqual([code, JSON.parse(stdout).text], [0, true]);
    assert.match(stderr, /taskwarden: fault in instrumentation of bullmq 5\.999\.0, jobs are not affected/);
    assert.match(stderr, /there is no method createJob to instrument/);
  });

  test('a package without a readable manifest loads as ever', async () => {
    install('broken/node_modules/bullmq', { name: 'bullmq', version: '5.0.0' });
    write('broken/node_modules/bullmq/package.json', '{ "main": "dist/cjs/classes/worker.js" }');
    const file = write('broken/main.cjs', program('bullmq'));
    const { code, stdout, stderr } = await runProgram(file);
    assert.deepEqual([code, stderr, JSON.parse(stdout).text], [0, '', true]);
  });

  test('two copies of a library in one program are both instrumented', async () => {
    for (const folder of ['two/node_modules/bullmq', 'two/sub/node_modules/bullmq']) {
      install(folder, { name: 'bullmq', version: '5.1.0' });
    }
    write('two/sub/main.cjs', program('bullmq'));
    const file = write(
      'two/main.mjs',
      `import './sub/main.cjs'; import { createRequire } from 'node:module';
      const require = createRequire(import.meta.url);${program('bullmq')}`,
    );
    const { code, stdout, stderr } = await runProgram(file);
    assert.deepEqual([code, stderr], [0, '']);
    assert.deepEqual(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).text),
      [false, false],
    );
  });

  test('a module whose path holds quotes and spaces', async () => {
    install(`it's "odd"/node_modules/bullmq`, { name: 'bullmq', version: '5.1.0' });
    const file = write(`it's "odd"/main.cjs`, program('bullmq'));
    const { code, stdout, stderr } = await runProgram(file);
    assert.deepEqual([code, stderr, JSON.parse(stdout).text], [0, '', false]);
    assert.ok(pathToFileURL(file).href.includes('%22'));
  });
});
