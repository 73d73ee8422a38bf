import assert from 'node:assert/strict';
import { test } from 'node:test';
import { satisfies } from '../../src/model/version.ts';

const CASES: readonly [version: string, range: string, expected: boolean][] = [
  ['2.0.0', '>=2 <7', true],
  ['6.9.9', '>=2 <7', true],
  ['1.91.1', '>=2 <7', false],
  ['7.0.0', '>=2 <7', false],
  ['10.0.0', '>=2 <7', false],
  ['5.12.3', '>=5.12', true],
  ['5.11.9', '>=5.12', false],
  ['6.4.0', '<=6', true],
  ['6.4.0', '>6', false],
  ['7.0.0', '>6', true],
  ['6.4.0', '6', true],
  ['6.4.0', '=6.4.1', false],
  ['1.5.0', '>=1 <2 || >=3 <4', true],
  ['2.5.0', '>=1 <2 || >=3 <4', false],
  ['3.5.0', '>=1 <2||>=3 <4', true],
  ['7.0.0-rc.1', '>=2 <7', false],
  ['6.8.0-beta.2', '>=2 <7', true],
  ['2.0.0-alpha', '>=2 <7', true],
  ['5.0.0-beta.2', '>=5.0.0-beta.3', false],
  ['5.0.0-beta.10', '>=5.0.0-beta.3', true],
  ['5.0.0', '>=5.0.0-beta.3', true],
  ['5.0.0-beta', '>=5.0.0-beta.3', false],
  ['5.0.0-beta.3.1', '>=5.0.0-beta.3', true],
  ['5.0.0-beta.x', '>=5.0.0-beta.3', true],
  ['5.0.0-alpha.9', '>=5.0.0-beta.3', false],
  ['v5.1.0+build.7', '>=5', true],
  ['', '>=1', false],
  ['latest', '>=1', false],
  ['5', '>=1', false],
];

for (const [version, range, expected] of CASES) {
  test(`${version || '(empty)'} ${expected ? 'is' : 'is not'} ${range}`, () => {
    assert.equal(satisfies(version, range), expected);
  });
}

test('a malformed range is an error whatever the version', () => {
  for (const range of ['', '^5.0.0', '>=x', '>= 5', '>=1 ||'])
    assert.throws(() => satisfies('5.0.0', range), RangeError, range);
});
