import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import vm from 'node:vm';
import { exposeGc } from '../../src/model/gc.ts';

test('what V8 hands out collects, and nobody else has it', async () => {
  const gc = exposeGc();
  const garbage = new WeakRef({});
  // A target is held until the job that has made its reference is over.
  await new Promise<void>((resolve) => setImmediate(resolve));
  gc({ type: 'major', flavor: 'last-resort' });
  assert.equal(garbage.deref(), undefined);
  assert.equal('gc' in globalThis, false);
  assert.equal(vm.runInNewContext('typeof gc'), 'undefined');
});

test('a process that was started with the flag keeps it', () => {
  const file = new URL('../../src/model/gc.ts', import.meta.url);
  const program = `import { exposeGc } from '${file}';
    import vm from 'node:vm';
    exposeGc()({ type: 'major' });
    console.log(vm.runInNewContext('typeof gc'));`;
  const args = ['--expose-gc', '--input-type=module', '--eval', program];
  const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(stdout, 'function\n');
});
