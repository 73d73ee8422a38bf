import assert from 'node:assert/strict';
import { test } from 'node:test';
import v8 from 'node:v8';
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

test('a process that was started with the flag keeps it', (t) => {
  v8.setFlagsFromString('--expose-gc');
  t.after(() => v8.setFlagsFromString('--no-expose-gc'));
  exposeGc();
  assert.equal(vm.runInNewContext('typeof gc'), 'function');
});
