import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext, runInThisContext } from 'node:vm';
import { exposeGcShare, READ_GC_SHARE } from '../../src/bridge/gc-share.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const live = Array.from({ length: 200_000 }, (_, i) => ({ i }));
const read = (): unknown => runInThisContext(READ_GC_SHARE);

function spin(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}

test('the share of collections since the question before, within a turn of the loop', async () => {
  assert.equal(read(), undefined, 'nobody is watched');
  const end = exposeGcShare();
  assert.equal(read(), undefined);
  for (let n = 0; n < 5; n++) collect();
  const much = read() as number;
  assert.ok(much > 0.5 && much <= 1.01, `${much} of collections alone`);
  spin(100);
  const little = read() as number;
  assert.ok(little >= 0 && little < 0.5, `${little} of a loop that makes no garbage`);
  await turn();
  assert.equal(read(), undefined, 'the block is over');
  end();
  assert.equal(read(), undefined);
  assert.equal(live.length, 200_000);
});
