import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { goMissing, prometheus3Binaries } from '../helpers/go-programs.ts';
import { askHere, askPromtool, caseFolder } from '../rules/testing/ask.ts';
import { CASES, CASES_V3 } from '../rules/testing/cases.ts';

const SHIPPED = resolve(import.meta.dirname, '../../rules/tests');
const skip = goMissing();
const timeout = 900_000;

test('promtool of Prometheus 3 gives the same verdict on each file of tests, in the same words', {
  skip,
  timeout,
}, async () => {
  const { promtool } = await prometheus3Binaries();
  const folder = caseFolder();
  const names = Object.keys({ ...CASES, ...CASES_V3 });
  const theirs = askPromtool(promtool, folder, names);
  const [here, there]: Record<string, string>[] = [{}, {}];
  for (const name of names) {
    const told = askHere(folder, name);
    const text = theirs.get(name) ?? '';
    // Errors of files are told otherwise, with a position; what failed of a case is told alike.
    const alike = /^ {4}(?:name|alertname|expr|rule): |^SUCCESS$/.test(text);
    here![name] = alike || told === 'SUCCESS' ? told : 'an error';
    there![name] = alike ? text : 'an error';
  }
  assert.deepEqual(here, there);
});

test('the shipped tests hold in promtool of Prometheus 3', { skip, timeout }, async () => {
  const { promtool } = await prometheus3Binaries();
  const files = readdirSync(SHIPPED).map((file) => join(SHIPPED, file));
  const { status, stderr } = spawnSync(promtool, ['test', 'rules', ...files], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
});
