import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareWithPromtool } from './fuzz/compare.ts';
import { type Engine, engines } from './fuzz/engines.ts';

/** A small part of what `npm run test:promql-fuzz` compares. */
const GROUPS = 6;
const QUERIES = 50;
const SEED = 20261124;

const found = engines();

for (const mode of ['v2', 'v3'] as const) {
  const engine = found.find((one) => one.mode === mode);
  const skip =
    engine === undefined &&
    `there is no promtool of Prometheus ${mode.slice(1)} to compare with, on PATH or built`;
  test(`${GROUPS * QUERIES} random queries give what promtool of Prometheus ${mode.slice(1)} gives`, {
    skip,
  }, () => {
    const { promtool, dialect } = engine as Engine;
    const outcome = compareWithPromtool(promtool, dialect, { seed: SEED, groups: GROUPS, queries: QUERIES });
    assert.deepEqual(outcome.differences, []);
    assert.ok(outcome.answered > outcome.cases / 3, `only ${outcome.answered} queries had an answer`);
    assert.ok(outcome.undecided < outcome.cases / 20, `${outcome.undecided} queries had several answers`);
  });
}
