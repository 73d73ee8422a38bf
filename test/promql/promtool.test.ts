import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { compile } from '../../src/promql/promql.ts';
import { compareWithPromtool } from './fuzz/compare.ts';
import { type Engine, engines } from './fuzz/engines.ts';
import { Expressions } from './fuzz/expressions.ts';
import { askPromtool } from './fuzz/promtool.ts';
import { Random } from './fuzz/random.ts';
import { randomSeries } from './fuzz/series.ts';

/** A small part of what `npm run test:promql-fuzz` compares. */
const GROUPS = 6;
const QUERIES = 50;
const SEED = 20261124;

const found = engines();
const errors = JSON.parse(readFileSync(join(import.meta.dirname, 'errors.json'), 'utf8')) as {
  promtool: string;
  errors: Record<string, string>;
};

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

const v3 = found.find((one) => one.version === errors.promtool);
const skipErrors =
  v3 === undefined && `there is no promtool ${errors.promtool} to compare with (npm run test:slow builds it)`;

test('promtool still says of mistakes what is recorded', { skip: skipErrors }, () => {
  const queries = Object.keys(errors.errors).map((expr) => ({ expr, t: 0 }));
  const group = { intervalS: 60, series: [] };
  assert.deepEqual(askPromtool((v3 as Engine).promtool, { group, queries }), Object.values(errors.errors));
});

/** What is refused here and not, or later, by Prometheus. */
const MEANT = /step\(\)|range\(\)|fill modifiers|duration out of range/;

test('random mistakes are told in its words', { skip: skipErrors }, () => {
  const random = new Random(SEED);
  const expressions = new Expressions(random, true);
  const queries = Array.from({ length: 500 }, () => ({ expr: expressions.broken(), t: 0 }));
  const theirs = askPromtool((v3 as Engine).promtool, { group: randomSeries(random), queries });
  let mistakes = 0;
  queries.forEach(({ expr }, at) => {
    const [mine, other] = [parseErrorOf(expr), theirs[at]];
    if (expr === '' || MEANT.test(mine)) return;
    if (mine !== '') mistakes++;
    assert.equal(mine, typeof other === 'string' && other.includes('parse error') ? other : '', expr);
  });
  assert.ok(mistakes > queries.length / 2, `only ${mistakes} mistakes`);
});

function parseErrorOf(expr: string): string {
  try {
    compile(expr);
    return '';
  } catch (error) {
    const { message } = error as Error;
    return message.includes('parse error') ? message : '';
  }
}
