import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runRuleTests } from '../../../src/rules/testing/run.ts';
import { promtool3Built } from '../../helpers/go-programs.ts';
import { promtoolMissing } from '../promtool.ts';
import { CASES, CASES_V3, FAILING_RULES, RULES } from './cases.ts';

const SHIPPED = resolve(import.meta.dirname, '../../../rules/tests');
const promtool3 = promtool3Built();
const skip3 =
  promtool3 === undefined && 'the promtool of Prometheus 3 is not built (npm run test:slow builds it)';

describe('the same files of tests here and in promtool', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'taskwarden-promtool-tests-'));
    writeFileSync(join(folder, 'rules.yaml'), RULES);
    writeFileSync(join(folder, 'failing.yaml'), FAILING_RULES);
    writeFileSync(join(folder, 'broken.yaml'), 'groups: [{name: x, rules: [{alert: A, expr: "up +"}]}]\n');
    const all = Object.entries({ ...CASES, ...CASES_V3 });
    for (const [name, text] of all) writeFileSync(join(folder, `${name}.test.yaml`), text);
  });
  after(() => rmSync(folder, { recursive: true }));

  test('some hold and some do not', () => {
    const verdicts = Object.keys({ ...CASES, ...CASES_V3 }).map((name) => holds(folder, name));
    assert.ok(verdicts.filter(Boolean).length > 20);
    assert.ok(verdicts.filter((verdict) => !verdict).length > 20);
  });

  test('promtool of Debian says the same of each', { skip: promtoolMissing() }, () => {
    const names = Object.keys(CASES);
    const theirs = ask('promtool', folder, names);
    const differ = names.filter((name) => holds(folder, name) !== (theirs.get(name) === 'SUCCESS'));
    assert.deepEqual(differ, []);
  });

  test('promtool of Prometheus 3 says the same of each, in the same words', { skip: skip3 }, () => {
    const names = Object.keys({ ...CASES, ...CASES_V3 });
    const theirs = ask(promtool3!, folder, names);
    const [here, there]: Record<string, string>[] = [{}, {}];
    for (const name of names) {
      const { failures } = runRuleTests(`${name}.test.yaml`, { cwd: folder });
      const told = failures.map(({ message }) => message).join('\n') || 'SUCCESS';
      const text = theirs.get(name) ?? '';
      // Errors of files are told otherwise, with a position; what failed of a case is told alike.
      const alike = /^ {4}(?:name|alertname|expr|rule): |^SUCCESS$/.test(text);
      here![name] = alike || told === 'SUCCESS' ? told : 'an error';
      there![name] = alike ? text : 'an error';
    }
    assert.deepEqual(here, there);
  });

  test('the shipped tests hold in promtool of Prometheus 3', { skip: skip3 }, () => {
    const files = readdirSync(SHIPPED).map((file) => join(SHIPPED, file));
    const { status, stderr } = spawnSync(promtool3!, ['test', 'rules', ...files], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  });
});

function holds(folder: string, name: string): boolean {
  return runRuleTests(`${name}.test.yaml`, { cwd: folder }).failures.length === 0;
}

/** SUCCESS or what failed, by the name of the case. */
function ask(promtool: string, folder: string, names: readonly string[]): Map<string, string> {
  // It writes to two streams, whose order matters.
  const path = join(folder, 'output');
  const output = openSync(path, 'w');
  const files = names.map((name) => `${name}.test.yaml`);
  spawnSync(promtool, ['test', 'rules', ...files], { cwd: folder, stdio: ['ignore', output, output] });
  closeSync(output);
  const parts = readFileSync(path, 'utf8').split(/^(?:Unit Testing: {2}|Processing test file: )/m);
  return new Map(
    parts.slice(1).map((part) => {
      const [file = '', ...lines] = part.split('\n');
      const told = lines.filter((line) => line.trim() !== '' && !/^ {2}(WARNING|FAILED)/.test(line));
      return [
        file.replace('.test.yaml', ''),
        told
          .join('\n')
          .replace(/^ {2}SUCCESS$/, 'SUCCESS')
          .replace('unknown position', '1:1'),
      ];
    }),
  );
}
