import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { DASHBOARDS } from '../../src/dashboards/panels.ts';
import { evaluateInstant, evaluateRange } from '../../src/promql/evaluate.ts';
import { compile } from '../../src/promql/promql.ts';
import { bound, dashboards, targets } from '../helpers/dashboard-json.ts';
import { emptyTargets } from '../helpers/empty-targets.ts';
import { type SyntheticRun, syntheticRun } from '../helpers/synthetic-store.ts';

/** Every dashboard query on the agent's own store and engine, which hold every metric of the table. */
let run: SyntheticRun;

before(async () => {
  run = await syntheticRun({ job: 'shop', instance: 'worker-1' }, 1_700_000_000_000, 21, 15_000);
});

function find(expr: string) {
  return evaluateRange(compile(expr), run.store, run.start + 60_000, run.end, run.stepMs).series;
}

test('every query of every panel finds data that ends with a number', () => {
  let count = 0;
  for (const { where, target } of targets()) {
    const found = find(bound(target.expr));
    assert.ok(found.length > 0, `${where}: nothing for ${target.expr}`);
    for (const { labels, values } of found)
      assert.ok(
        Number.isFinite(values.at(-1)),
        `${where}: ${JSON.stringify(labels)} ends with ${values.at(-1)}`,
      );
    count++;
  }
  assert.ok(count > 50, `only ${count} targets were found`);
});

test('annotations find the alert', () => {
  for (const [file, { annotations }] of dashboards()) {
    for (const { expr } of annotations.list) {
      const value = evaluateInstant(compile(bound(expr)), run.store, run.end);
      assert.equal(value.type === 'vector' && value.samples.length, 1, `${file}: ${expr}`);
    }
  }
});

test('an empty query is found, unless the panel excuses it', async () => {
  const withoutAlerts = (expr: string) => (expr.startsWith('ALERTS') ? 0 : find(expr).length);
  assert.deepEqual(await emptyTargets(withoutAlerts), []);
  const withoutRuns = (expr: string) => (expr.includes('task_active{') ? 0 : find(expr).length);
  const empty = await emptyTargets(withoutRuns);
  assert.ok(empty.some((line) => line.startsWith('tasks.json: "Runs in flight" A: nothing for ')));
});

test('what may be empty says why', () => {
  const reasons = DASHBOARDS.flatMap(({ rows }) =>
    rows.flatMap(({ panels }) =>
      panels.flatMap(({ targets }) => targets.map(({ mayBeEmpty }) => mayBeEmpty)),
    ),
  ).filter((reason) => reason !== undefined);
  assert.ok(reasons.length > 0);
  for (const reason of reasons) assert.match(reason, /^[a-z].{8,}$/);
});
