import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { oldSpaceLimit } from '../../src/bridge/heap-limit.ts';

const MIB = 1024 * 1024;

test("a thread's limit is that of its own old generation", async () => {
  const url = new URL('../../src/bridge/heap-limit.ts', import.meta.url);
  for (const maxYoungGenerationSizeMb of [8, 48]) {
    const worker = new Worker(
      `import(${JSON.stringify(url.href)}).then(({ oldSpaceLimit }) =>
        require('node:worker_threads').parentPort.postMessage(oldSpaceLimit([])));`,
      { eval: true, resourceLimits: { maxOldGenerationSizeMb: 500, maxYoungGenerationSizeMb } },
    );
    const [limit] = await once(worker, 'message');
    assert.equal(limit / MIB, 500);
  }
  assert.ok(oldSpaceLimit([]) > 0);
});

test('where the size of the whole heap is given, V8 gives up at the limit that is told', () => {
  const url = new URL('../../src/bridge/heap-limit.ts', import.meta.url);
  for (const options of [['--max-heap-size=100'], ['--max-heap-size=300']]) {
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [
        ...options,
        '--experimental-strip-types',
        '--no-warnings',
        '--trace-gc',
        '--input-type=module',
        '-e',
        `import { oldSpaceLimit } from ${JSON.stringify(url.href)};
        console.log('limit', oldSpaceLimit(process.execArgv));
        const keep = [];
        for (;;) keep.push(Array.from({ length: 1000 }, () => ({})));`,
      ],
      { encoding: 'utf8' },
    );
    const limit = Number(/^limit (\d+)$/m.exec(stdout)?.[1]) / MIB;
    const used = [
      ...`${stdout}${stderr}`.matchAll(/Mark-Compact (?:\(reduce\) )?[\d.]+ \([\d.]+\) -> ([\d.]+)/g),
    ];
    const most = Math.max(...used.map(([, after]) => Number(after)));
    assert.ok(most > 0.95 * limit && most < 1.02 * limit, `${options}: ${limit}, V8 gave up at ${most}`);
  }
});

test('an option of the old generation is its limit, the last of several', () => {
  assert.equal(oldSpaceLimit(['--max-old-space-size=100', '--max_old_space_size=300']), 300 * MIB);
});
