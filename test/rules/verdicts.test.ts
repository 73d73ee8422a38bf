import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { compile } from '../../src/promql/promql.ts';
import { parseRuleFile } from '../../src/rules/load.ts';
import { promtool, promtoolMissing } from './promtool.ts';
import { CASES } from './verdict-cases.ts';

/** Files that we judge otherwise than promtool 2.42, on purpose or because nobody writes them, and why. */
const OTHERWISE: Readonly<Record<string, string>> = {
  'two docs':
    'Prometheus takes the first alone, with a warning since version 3: rules that are never evaluated are an error to us',
  'group null': 'a slip that Prometheus takes as a group without a name, or as none',
  'rules null item': 'likewise',
  'null key': 'no rule file has one',
  'tabs only': 'an empty file to us',
  'label !!float bad': 'YAML tags on texts are not looked at',
  'tmpl num2': 'no complex numbers in templates',
  'tmpl assign undecl': 'found when the file is read, not when the alert fires',
  'tmpl with else': 'Go has it since 1.23, which Prometheus 3 is built with',
};

test('rule files get the verdict of promtool check rules', { skip: promtoolMissing() }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'taskwarden-verdicts-'));
  const names = Object.keys(CASES);
  const paths = names.map((_, n) => join(folder, `${n}.yaml`));
  for (const [n, name] of names.entries()) writeFileSync(paths[n]!, CASES[name]!);
  const { output } = promtool('check', 'rules', ...paths);
  rmSync(folder, { recursive: true });
  const differences = names.filter((name, n) => {
    const isTaken = output.includes(`Checking ${paths[n]}\n  SUCCESS`);
    assert.ok(isTaken || output.includes(`${paths[n]}: `), `no verdict on ${name}`);
    const { errors } = parseRuleFile(CASES[name]!, 'r.yaml', compile);
    return isTaken !== (errors.length === 0);
  });
  assert.deepEqual(differences.sort(), Object.keys(OTHERWISE).sort());
});
