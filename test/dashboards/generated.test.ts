import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { attributeTable } from '../../src/dashboards/attribute-table.ts';
import { dashboardJson } from '../../src/dashboards/generate.ts';
import { metricsDocument } from '../../src/dashboards/metrics-doc.ts';
import { DASHBOARDS } from '../../src/dashboards/panels.ts';
import { METRICS } from '../../src/model/metrics.ts';

const root = resolve(import.meta.dirname, '../..');

test('the committed dashboards are what the generator gives, the same each time', () => {
  for (const spec of DASHBOARDS) {
    const committed = readFileSync(resolve(root, 'dashboards', `${spec.file}.json`), 'utf8');
    assert.equal(dashboardJson(spec), committed, `dashboards/${spec.file}.json: run "npm run generate"`);
    assert.equal(dashboardJson(spec), dashboardJson(spec));
  }
});

test('docs/metrics.md is what the table gives and has a line for each metric', () => {
  const text = readFileSync(resolve(root, 'docs/metrics.md'), 'utf8');
  assert.equal(metricsDocument(), text, 'docs/metrics.md: run "npm run generate"');
  const chapters = text.slice(0, text.indexOf('## Alerts'));
  const lines = chapters.split('\n').filter((line) => line.startsWith('| `'));
  for (const name of Object.keys(METRICS))
    assert.equal(lines.filter((line) => line.startsWith(`| \`${name}\` |`)).length, 1, name);
});

test('a metric shows both names, its labels, what is optional, and its buckets', () => {
  const text = metricsDocument({
    'task.tea|time': {
      kind: 'histogram',
      unit: 's',
      description: 'How long | why.',
      attributes: ['task.name', 'resource'],
      optional: ['resource'],
      buckets: [1, 2],
      source: 'taskwarden',
      quality: 'Exact.',
    },
  });
  assert.match(text, /^\| `task\.tea\\\|time` \| `task_tea_time_seconds` \| histogram \| `s` \| /m);
  assert.match(
    text,
    / \| `task\.name` \(`task_name`\)<br>`resource`, optional \| own \| How long \\\| why\. \| Exact\. \|$/m,
  );
  assert.match(text, /^- `task\.tea\|time`: 1, 2$/m);
});

test('a metric outside every chapter is refused', () => {
  assert.throws(
    () => metricsDocument({ 'weather.rain': METRICS['task.active'] }),
    /metric weather\.rain belongs to no chapter/,
  );
});

test('an attribute without a text is refused', () => {
  assert.match(attributeTable(['task.name'], { 'task.name': 'Name.' }), /^\| `task\.name` \| Name\. \|$/m);
  assert.throws(() => attributeTable(['task.mood'], {}), /attribute task\.mood has no text/);
});
