import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { runRuleTests } from '../../../src/rules/testing/run.ts';
import { CASES, CASES_V3, FAILING_RULES, RULES } from './cases.ts';

/** A new folder with all cases as files `NAME.test.yaml`, and the rules that they are about. */
export function caseFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'taskwarden-promtool-tests-'));
  after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'rules.yaml'), RULES);
  writeFileSync(join(folder, 'failing.yaml'), FAILING_RULES);
  writeFileSync(join(folder, 'broken.yaml'), 'groups: [{name: x, rules: [{alert: A, expr: "up +"}]}]\n');
  for (const [name, text] of Object.entries({ ...CASES, ...CASES_V3 }))
    writeFileSync(join(folder, `${name}.test.yaml`), text);
  return folder;
}

/** SUCCESS or what failed here. */
export function askHere(folder: string, name: string): string {
  const { failures } = runRuleTests(`${name}.test.yaml`, { cwd: folder });
  return failures.map(({ message }) => message).join('\n') || 'SUCCESS';
}

/** SUCCESS or what failed in a promtool, by the name of the case. */
export function askPromtool(promtool: string, folder: string, names: readonly string[]): Map<string, string> {
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
      const text = told.join('\n').replace('unknown position', '1:1');
      return [file.replace('.test.yaml', ''), text === '  SUCCESS' ? 'SUCCESS' : text];
    }),
  );
}
