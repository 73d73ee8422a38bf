import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closure } from '../../bench/overhead/installed.ts';

const packages = {
  '': {},
  'node_modules/a': { dependencies: { b: '1', c: '1' } },
  'node_modules/a/node_modules/b': { dependencies: { c: '1' } },
  'node_modules/b': { dependencies: { a: '1' } },
  'node_modules/c': { optionalDependencies: { absent: '1', '@s/d': '1' } },
  'node_modules/@s/d': {},
};

test('a nested package comes before the one at the top, cycles end, absent optional ones are left out', () => {
  assert.deepEqual(
    closure(packages, ['a']),
    new Set(['node_modules/a', 'node_modules/a/node_modules/b', 'node_modules/c', 'node_modules/@s/d']),
  );
  assert.equal(closure(packages, ['b']).size, 5);
  assert.equal(closure(packages, []).size, 0);
});

test('a needed package that is missing is an error', () => {
  assert.throws(() => closure({ 'node_modules/a': { dependencies: { gone: '1' } } }, ['a']), /lacks gone/);
});
