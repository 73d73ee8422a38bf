import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dashboards, panelsOf, selectors, targets } from '../helpers/dashboard-json.ts';
import { knownSeries } from '../helpers/metric-names.ts';

/** The rules of Grafana's dashboard-linter that concern a Prometheus dashboard, and those that its layout asks for. */

const UNITS = ['short', 'percentunit', 's', 'bytes', 'Bps', 'ops', 'reqps', 'cps'];
const all = [...dashboards()];

test('there are four dashboards, each with its own lasting uid and title', () => {
  assert.deepEqual(
    all.map(([file, { uid, title }]) => [file, uid, title]),
    [
      ['asynq.json', 'taskwarden-asynq', 'Taskwarden / Asynq'],
      ['queues.json', 'taskwarden-queues', 'Taskwarden / Queues'],
      ['tasks.json', 'taskwarden-tasks', 'Taskwarden / Tasks'],
      ['worker.json', 'taskwarden-worker', 'Taskwarden / Worker'],
    ],
  );
});

for (const [file, dashboard] of all) {
  const variables = new Map(dashboard.templating.list.map((variable) => [variable.name, variable]));

  test(`${file}: classic schema, read-only (uneditable)`, () => {
    assert.equal(dashboard.schemaVersion, 42);
    assert.equal(dashboard.editable, false);
    assert.ok(!('__inputs' in dashboard), 'inputs resolve in the import dialog alone, not when provisioned');
  });

  test(`${file}: one data source variable (template-datasource)`, () => {
    const sources = dashboard.templating.list.filter(({ type }) => type === 'datasource');
    assert.deepEqual(
      sources.map(({ name, label, query }) => ({ name, label, query })),
      [{ name: 'datasource', label: 'Data source', query: 'prometheus' }],
    );
  });

  test(`${file}: job and instance variables (template-job, template-instance, template-on-time-change-reload)`, () => {
    for (const variable of dashboard.templating.list.filter(({ type }) => type === 'query')) {
      const { name, label, multi, includeAll, allValue, refresh, datasource } = variable;
      assert.equal(label.toLowerCase(), name);
      assert.deepEqual(
        { multi, includeAll, allValue, refresh, uid: datasource?.uid },
        { multi: true, includeAll: true, allValue: '.+', refresh: 2, uid: '$datasource' },
      );
    }
    assert.ok(variables.has('job') && variables.has('instance'));
  });

  test(`${file}: panels have data source, title, description, unit and targets`, () => {
    const titles = new Set<string>();
    for (const panel of panelsOf(dashboard)) {
      assert.deepEqual(panel.datasource, { type: 'prometheus', uid: '$datasource' }, panel.title);
      assert.ok(panel.title !== '' && !titles.has(panel.title), `title "${panel.title}" is empty or taken`);
      titles.add(panel.title);
      assert.match(panel.description ?? '', /\.$/, `${panel.title}: description`);
      assert.ok(UNITS.includes(panel.fieldConfig?.defaults.unit ?? ''), `${panel.title}: unit`);
      assert.ok((panel.targets?.length ?? 0) > 0, `${panel.title}: no targets`);
    }
  });

  test(`${file}: panels fill the grid of 24 columns and do not overlap`, () => {
    const taken = new Set<string>();
    for (const { title, gridPos } of dashboard.panels) {
      assert.ok(gridPos.x + gridPos.w <= 24, `${title} reaches beyond the grid`);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          assert.ok(!taken.has(`${x},${y}`), `${title} overlaps another panel`);
          taken.add(`${x},${y}`);
        }
      }
    }
    const height = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
    assert.equal(taken.size, height * 24, 'there are holes in the grid');
    assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length, 'ids repeat');
  });

  test(`${file}: uses every variable that it has, and has every one that it uses`, () => {
    const text = JSON.stringify([dashboard.panels, dashboard.annotations]);
    const used = new Set([...text.matchAll(/\$\{?([a-z]+)\b/g)].map((match) => match[1]!));
    assert.deepEqual([...used].sort(), [...variables.keys()].sort());
  });

  test(`${file}: alerts are annotations`, () => {
    assert.equal(dashboard.annotations.list.length, 1);
    assert.match(dashboard.annotations.list[0]!.expr, /^ALERTS\{alertstate="firing", /);
    assert.equal(dashboard.annotations.list[0]!.datasource.uid, '$datasource');
  });
}

test('every selector is narrowed by job and instance (target-job, target-instance)', () => {
  for (const { where, target } of targets()) {
    for (const { name, matchers } of selectors(target.expr)) {
      assert.match(matchers, /job=~"\$job"/, `${where}: ${name}`);
      // An alert about no instance in particular belongs to every choice.
      assert.match(
        matchers,
        name === 'ALERTS' ? /instance=~"\$instance\|"/ : /instance=~"\$instance"/,
        where,
      );
    }
  }
});

test('ranges are $__rate_interval over the export interval (target-rate-interval)', () => {
  for (const { where, target } of targets()) {
    for (const [, range] of target.expr.matchAll(/\[([^\]]*)\]/g))
      assert.equal(range, '$__rate_interval', where);
    assert.equal(target.interval, '$step', `${where}: the least step`);
    assert.deepEqual(target.datasource, { type: 'prometheus', uid: '$datasource' }, where);
  }
});

test('counters are read through rate or increase, everything else is not (target-counter-agg)', () => {
  const known = knownSeries();
  for (const { where, target } of targets()) {
    const ranged = new Set(
      [...target.expr.matchAll(/\b(?:rate|increase)\(([A-Za-z_:][\w:]*)\{[^}]*\}\[/g)].map(
        (match) => match[1]!,
      ),
    );
    for (const { name } of selectors(target.expr))
      assert.equal(ranged.has(name), known.get(name)?.counter, `${where}: ${name}`);
  }
});

test('aggregations name the labels they keep', () => {
  for (const { where, target } of targets())
    assert.doesNotMatch(target.expr, /\b(without|ignoring)\b/, `${where}: collectors may add labels`);
});
