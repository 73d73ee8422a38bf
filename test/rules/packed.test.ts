import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { compile, type Expression } from '../../src/promql/promql.ts';
import { loadRuleFiles } from '../../src/rules/load.ts';
import { packRules, unpackRules } from '../../src/rules/packed.ts';
import type { RuleGroup } from '../../src/rules/rule.ts';
import { shippedGroups, shippedRules } from '../../src/rules/shipped.ts';

/** All of the rules but the compiled expressions, which keep white space around the text that the rules do not. */
const plain = (groups: readonly RuleGroup[]) =>
  groups.map((group) => ({ ...group, rules: group.rules.map(({ expression: _, ...rule }) => rule) }));

test('packed rules are what the files say, compiled', () => {
  const { groups } = loadRuleFiles([shippedRules()], compile);
  assert.ok(groups.length > 5);
  const unpacked = unpackRules(packRules(groups), dirname(shippedRules()), compile);
  assert.deepEqual(plain(unpacked), plain(groups));
  for (const { rules } of unpacked)
    for (const { expr, expression } of rules) assert.equal((expression as Expression).text, expr);
});

test('without a build the shipped rules come from their files', async () => {
  assert.deepEqual(
    plain(await shippedGroups(compile)),
    plain(loadRuleFiles([shippedRules()], compile).groups),
  );
});
