import assert from 'node:assert/strict';
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
