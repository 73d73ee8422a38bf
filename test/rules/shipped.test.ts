import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { children, type Node } from '../../src/promql/ast.ts';
import { compile, type Expression } from '../../src/promql/promql.ts';
import { loadRuleFiles } from '../../src/rules/load.ts';
import type { AlertRule } from '../../src/rules/rule.ts';
import { knownSeries } from '../helpers/metric-names.ts';
import { promtool, promtoolMissing } from './promtool.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const FOLDER = join(ROOT, 'rules');
const TESTS = join(FOLDER, 'tests');

const { groups, files } = loadRuleFiles([join(FOLDER, '*.yaml')], compile);
const alerts = groups
  .flatMap(({ rules }) => rules)
  .filter((rule): rule is AlertRule => rule.kind === 'alert');
const known = knownSeries();

function* walk(node: Node): Generator<Node> {
  yield node;
  for (const child of children(node)) yield* walk(child);
}

const annotation = (alert: AlertRule, name: string) =>
  alert.annotations.find(([own]) => own === name)?.[1].text ?? '';

test('the promised alerts are there, each name once', () => {
  const names = alerts.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const name of [
    'TaskBlocksEventLoop',
    'TaskCpuHog',
    'TaskMemoryGrowth',
    'TaskNetworkFlood',
    'TaskFailing',
  ])
    assert.ok(names.includes(name), name);
  for (const name of [
    'QueueLatencyHigh',
    'WorkerHeapNearLimit',
    'WorkerMemoryNearLimit',
    'AgentDroppingData',
  ])
    assert.ok(names.includes(name), name);
});

for (const alert of alerts) {
  describe(alert.name, () => {
    const nodes = [...walk((alert.expression as Expression).node)];

    test('speaks of metrics and labels of the table alone', () => {
      const labels = new Set<string>();
      for (const node of nodes) {
        if (node.kind !== 'selector') continue;
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
        if (node.kind !== 'call' || !['rate', 'increase'].includes(node.name)) continue;
        const [matrix] = node.args;
        assert.ok(matrix?.kind === 'matrix');
        assert.ok(known.get(matrix.selector.name ?? '')?.counter, matrix.selector.name);
        assert.ok(matrix.range >= 4 * 5000);
      }
    });

    test('names the labels it keeps: others may be added on the way to Prometheus', () => {
      for (const node of nodes) {
        if (node.kind === 'aggregate')
          assert.ok(!node.without && node.labels.includes('instance'), alert.expr);
        if (node.kind === 'binary' && node.left.kind !== 'number' && node.right.kind !== 'number')
          assert.ok(node.matching.on || node.op === 'or', alert.expr);
      }
    });

    test('has a severity, a summary that says where, and a page of what to do', () => {
      const severity = alert.labels.find(([name]) => name === 'severity')?.[1].text;
      assert.ok(['critical', 'warning'].includes(severity ?? ''));
      const summary = annotation(alert, 'summary');
      assert.ok(summary.includes('{{ $labels.job }}'), summary);
      if (alert.name.startsWith('Task')) {
        assert.ok(summary.includes('{{ $labels.task_name }}'), summary);
        assert.ok(summary.includes('{{ $labels.messaging_destination_name }}'), summary);
      }
      // A status has no value worth telling.
      assert.match(annotation(alert, 'description'), /(\$value|_outcome).*\.$/s);
      const anchor = alert.name.toLowerCase();
      assert.equal(
        annotation(alert, 'runbook_url'),
        `https://github.com/taskwarden/taskwarden/blob/main/docs/threats.md#${anchor}`,
      );
      const page = readFileSync(join(ROOT, 'docs/threats.md'), 'utf8');
      assert.match(page, new RegExp(`^### ${alert.name}$`, 'm'));
    });

    test('has a case in which it fires and one in which it does not', () => {
      const cases = readdirSync(TESTS)
        .map((file) => readFileSync(join(TESTS, file), 'utf8'))
        .join('\n');
      const own = cases
        .split(/^ {2}- eval_time/m)
        .filter((part) => part.includes(`alertname: ${alert.name}\n`));
      assert.ok(
        own.some((part) => /exp_alerts:\s*\n\s+- exp_labels/.test(part)),
        'it never fires',
      );
      assert.ok(
        own.some((part) => part.includes('exp_alerts: []')),
        'it always fires',
      );
    });
  });
}

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
