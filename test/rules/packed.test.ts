import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { compile } from '../../src/promql/promql.ts';
import { loadRuleFiles } from '../../src/rules/load.ts';
import { packRules, unpackRules } from '../../src/rules/packed.ts';
import { shippedGroups, shippedRules } from '../../src/rules/shipped.ts';

test('packed rules are what the files say', () => {
  const { groups } = loadRuleFiles([shippedRules()], compile);
  assert.ok(groups.length > 5);
  const folder = dirname(shippedRules());
  assert.deepEqual(unpackRules(packRules(groups), folder, compile), groups);
});

test('without a build the shipped rules come from their files', () => {
  assert.deepEqual(shippedGroups(compile), loadRuleFiles([shippedRules()], compile).groups);
});
