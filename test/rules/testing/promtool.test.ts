import assert from 'node:assert/strict';
import { test } from 'node:test';
import { promtoolMissing } from '../promtool.ts';
import { askHere, askPromtool, caseFolder } from './ask.ts';
import { CASES } from './cases.ts';

/** test/slow/promtool-rules.test.ts asks Prometheus 3. */
test('promtool of Debian gives the same verdict on each file of tests', { skip: promtoolMissing() }, () => {
  const folder = caseFolder();
  const names = Object.keys(CASES);
  const theirs = askPromtool('promtool', folder, names);
  const held = names.filter((name) => askHere(folder, name) === 'SUCCESS');
  assert.deepEqual(
    held,
    names.filter((name) => theirs.get(name) === 'SUCCESS'),
  );
  assert.ok(held.length > 20 && names.length - held.length > 20);
});
