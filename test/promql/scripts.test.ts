import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runScript } from './runner.ts';

const FOLDER = join(import.meta.dirname, 'scripts');

for (const file of readdirSync(FOLDER)) {
  test(file, () => {
    const { passed, failures, unsupported } = runScript(readFileSync(join(FOLDER, file), 'utf8'));
    assert.deepEqual(failures, []);
    assert.deepEqual(unsupported, []);
    assert.ok(passed > 0, 'the script has no case');
  });
}

test('the runner reports a wrong value, missing and surplus series and a failure that did not come', () => {
  const load = 'load 10s\n  a{b="1"} 1\n  a{b="2"} 2\n';
  const wrong = [
    '  {b="1"} 1\n  {b="2"} 3',
    '  {b="1"} 1',
    '  {b="1"} 1\n  {b="2"} 2\n  {b="3"} 3',
    '  expect fail',
  ];
  for (const expected of wrong) {
    const { passed, failures } = runScript(`${load}eval instant at 0 a + 0\n${expected}\n`);
    assert.deepEqual([passed, failures.length], [0, 1], expected);
  }
  const ordered = '  expect ordered\n  {b="2"} 2\n  {b="1"} 1';
  assert.equal(runScript(`${load}eval instant at 0 sort(a + 0)\n${ordered}`).failures.length, 1);
});
