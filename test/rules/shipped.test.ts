import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { DEFAULTS } from '../../src/config/options.ts';
import { children, isComparison, type Node } from '../../src/promql/ast.ts';
import { compile, type Expression } from '../../src/promql/promql.ts';
import { loadRuleFiles, parseRuleFile } from '../../src/rules/load.ts';
import type { AlertRule, RuleGroup } from '../../src/rules/rule.ts';
import { isThreshold, THRESHOLD_PREFIX } from '../../src/rules/thresholds.ts';
import { knownSeries } from '../helpers/metric-names.ts';
import { promtool, promtoolMissing } from './promtool.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const FOLDER = join(ROOT, 'rules');
const TESTS = join(FOLDER, 'tests');

const DOCS = readFileSync(join(ROOT, 'docs/threats.md'), 'utf8');

const { groups, files } = loadRuleFiles([join(FOLDER, '*.yaml')], compile);
const alertsOf = (of: readonly RuleGroup[]) =>
  of.flatMap(({ file, rules }) =>
    rules.flatMap((alert) => (alert.kind === 'alert' ? [{ file, alert }] : [])),
  );
const alerts = alertsOf(groups).map(({ alert }) => alert);
const thresholds = new Map(
  groups
    .flatMap(({ rules }) => rules.filter(isThreshold))
    .map(({ name, expr }) => [name, Number(/^vector\((.*)\)$/.exec(expr)?.[1])]),
);
/** The unit tests of a rule file. */
const casesOf = (file: string): string =>
  readFileSync(join(TESTS, basename(file).replace('.yaml', '.test.yaml')), 'utf8');
const known = knownSeries();

function* walk(node: Node): Generator<Node> {
  yield node;
  for (const child of children(node)) yield* walk(child);
}

const annotation = (alert: AlertRule, name: string) =>
  alert.annotations.find(([own]) => own === name)?.[1].text ?? '';

test('an alert once for each severity, and a file for each theme', () => {
  const names = alerts.map(({ name, labels }) => `${name} ${labels.map(([, { text }]) => text)}`);
  assert.equal(new Set(names).size, names.length);
  const themes = new Set(files.map((file) => basename(file, '.yaml')));
  for (const theme of [
    'tasks',
    'memory',
    'network',
    'queues',
    'workers',
    'limits',
    'crashes',
    'security',
    'asynq',
  ])
    assert.ok(themes.has(theme), theme);
});

/** What an alert lacks that each shipped one has. `docs` is docs/threats.md, `cases` the tests of its file. */
function lacks(alert: AlertRule, docs: string, cases: string): string[] {
  const found: string[] = [];
  const want = (holds: boolean, what: string): void => void (holds || found.push(what));
  const severity = alert.labels.find(([name]) => name === 'severity')?.[1].text;
  want(['critical', 'warning', 'info'].includes(severity ?? ''), 'severity');
  const summary = annotation(alert, 'summary');
  want(/\$labels\.(job|task_crash_service) /.test(summary), 'summary that names the job');
  if (alert.name.startsWith('Task')) {
    want(summary.includes('$labels.task_name'), 'summary that names the task');
    want(summary.includes('$labels.messaging_destination_name'), 'summary that names the queue');
  }
  // A status has no value worth telling.
  const told = /(\$value|_outcome).*\.$/s;
  const texts = `${summary} ${annotation(alert, 'description')}`;
  want(annotation(alert, 'description') !== '' && told.test(texts), 'description with the figure');
  const page = 'https://github.com/taskwarden/taskwarden/blob/main/docs/threats.md#';
  want(annotation(alert, 'runbook_url') === page + alert.name.toLowerCase(), 'runbook_url');
  want(section(docs, alert.name) !== undefined, 'section in docs/threats.md');
  const own = cases.split(/^ {2}- eval_time/m).filter((part) => part.includes(`alertname: ${alert.name}\n`));
  want(
    own.some((part) => /exp_alerts:\s*\n\s+- exp_labels/.test(part)),
    'unit test in which it fires',
  );
  want(
    own.some((part) => part.includes('exp_alerts: []')),
    'unit test in which it is silent',
  );
  return found;
}

function section(docs: string, name: string): string | undefined {
  return docs.split(/^(?=##)/m).find((text) => text.startsWith(`### ${name}\n`));
}

/** Whether a node is a number rather than a vector. */
function isScalar(node: Node): boolean {
  if (node.kind === 'paren') return isScalar(node.expr);
  if (node.kind === 'binary') return isScalar(node.left) && isScalar(node.right);
  return node.kind === 'number' || (node.kind === 'call' && ['scalar', 'time'].includes(node.name));
}

test('what an alert lacks is found', () => {
  const text = `groups:
  - name: g
    rules:
      - alert: TaskBad
        expr: task_active > 10
        annotations: {summary: Bad}
`;
  const [group] = parseRuleFile(text, 'bad.yaml', compile).groups;
  assert.deepEqual(lacks(group!.rules[0] as AlertRule, DOCS, casesOf(join(FOLDER, 'tasks.yaml'))), [
    'severity',
    'summary that names the job',
    'summary that names the task',
    'summary that names the queue',
    'description with the figure',
    'runbook_url',
    'section in docs/threats.md',
    'unit test in which it fires',
    'unit test in which it is silent',
  ]);
});

for (const { file, alert } of alertsOf(groups)) {
  describe(alert.name, () => {
    const nodes = [...walk((alert.expression as Expression).node)];

    test('speaks of metrics and labels of the table alone', () => {
      const labels = new Set<string>();
      for (const node of nodes) {
        if (node.kind !== 'selector' || thresholds.has(node.name ?? '')) continue;
        const series = known.get(node.name ?? '');
        assert.ok(series !== undefined, `no metric ${node.name}`);
        for (const label of series.labels) labels.add(label);
        for (const { name } of node.matchers)
          assert.ok(name === '__name__' || series.labels.has(name), `${node.name} has no label ${name}`);
      }
      const used = nodes.flatMap((node) =>
        node.kind === 'aggregate' ? node.labels : node.kind === 'binary' ? node.matching.labels : [],
      );
      const texts = alert.annotations.map(([, template]) => template.text).join();
      for (const [, label] of texts.matchAll(/\$labels\.(\w+)/g)) used.push(label!);
      for (const label of used) assert.ok(labels.has(label), `no label ${label}`);
    });

    test('takes rates of counters, over four intervals or more', () => {
      for (const node of nodes) {
        if (node.kind === 'matrix') assert.ok(node.range >= 4 * 5000);
        if (node.kind !== 'call' || !['rate', 'increase'].includes(node.name)) continue;
        const [matrix] = node.args;
        assert.ok(matrix?.kind === 'matrix');
        assert.ok(known.get(matrix.selector.name ?? '')?.counter, matrix.selector.name);
      }
    });

    test('looks no further back than the store reaches', () => {
      for (const node of nodes) {
        if (node.kind === 'matrix')
          assert.ok(node.range + node.selector.shift.offset <= DEFAULTS.store.retention - 30_000, alert.expr);
      }
    });

    test('names the labels it keeps: others may be added on the way to Prometheus', () => {
      for (const node of nodes) {
        if (node.kind === 'aggregate')
          assert.ok(!node.without && node.labels.includes('instance'), alert.expr);
        if (node.kind === 'binary' && !isScalar(node.left) && !isScalar(node.right))
          assert.ok(node.matching.on || node.op === 'or', alert.expr);
      }
    });

    test('has its bounds in thresholds.yaml', () => {
      for (const node of nodes) {
        if (node.kind !== 'binary' || !isComparison(node.op)) continue;
        for (const side of [node.left, node.right])
          assert.ok(side.kind !== 'number' || [0, 1].includes(side.value), alert.expr);
      }
    });

    test('has severity, summary, description, runbook and unit tests', () => {
      assert.deepEqual(lacks(alert, DOCS, casesOf(file)), []);
    });

    test('has its thresholds in its section', () => {
      const namesakes = alerts.filter(({ name }) => name === alert.name).map(({ expr }) => expr);
      const own = new Set(namesakes.join().match(/taskwarden:threshold:\w+/g) ?? []);
      const [line = ''] = section(DOCS, alert.name)?.match(/^- \*\*To change:\*\*.*$/ms) ?? [];
      const told = [...line.matchAll(/`(\w+)` \(([\d.]+)\)/g)].map(([, name, value]) => [
        name,
        Number(value),
      ]);
      const wanted = [...own].map((name) => [name.slice(THRESHOLD_PREFIX.length), thresholds.get(name)]);
      assert.deepEqual(told, wanted);
    });
  });
}

test('every threshold is a number that an alert asks for', () => {
  const asked = new Set(alerts.flatMap(({ expr }) => expr.match(/taskwarden:threshold:\w+/g) ?? []));
  assert.deepEqual([...thresholds.keys()].sort(), [...asked].sort());
  for (const value of thresholds.values()) assert.ok(Number.isFinite(value));
});

test('each threat has alerts, and the table of docs/threats.md leads to them', () => {
  const rows = [...DOCS.matchAll(/^\| (?!Threat)([^|]+) \| (\[[^|]+) \|$/gm)];
  assert.equal(rows.length, 25);
  for (const [, threat, links] of rows) {
    const led = [...links!.matchAll(/\[(\w+)\]\(#(\w+)\)/g)];
    assert.ok(led.length > 0, threat);
    for (const [, name, anchor] of led) {
      assert.ok(
        alerts.some((alert) => alert.name === name),
        `${threat}: ${name}`,
      );
      assert.equal(anchor, name!.toLowerCase());
    }
  }
});

test('every section of docs/threats.md is about a shipped alert', () => {
  const names = [...DOCS.matchAll(/^### (.*)$/gm)].map(([, name]) => name!);
  assert.deepEqual(names.toSorted(), [...new Set(alerts.map(({ name }) => name))].sort());
});

for (const file of files) {
  test(`promtool accepts ${file.slice(ROOT.length + 1)}`, { skip: promtoolMissing() }, () => {
    const { status, output } = promtool('check', 'rules', file);
    assert.equal(status, 0, output);
  });
}

for (const file of readdirSync(TESTS)) {
  test(`promtool finds what rules/tests/${file} expects`, { skip: promtoolMissing() }, () => {
    const { status, output } = promtool('test', 'rules', join(TESTS, file));
    assert.equal(status, 0, output);
  });
}
