import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exponent } from '../../bench/rules/alone.ts';
import { ruleFile } from '../../bench/rules/mix.ts';
import { cpuOfStat } from '../../bench/rules/prometheus.ts';
import { exposition, openMetrics, SERIES_PER_TASK, syntheticSeries } from '../../bench/rules/series.ts';
import { labelsKey } from '../../src/model/labels.ts';
import { children, type Node } from '../../src/promql/ast.ts';
import { compile, type Expression } from '../../src/promql/promql.ts';
import { parseRuleFile } from '../../src/rules/load.ts';

/** Operators, functions, aggregators and kinds of matching of an expression, each as often as it occurs. */
function parts(node: Node): string[] {
  const own =
    node.kind === 'binary'
      ? [
          node.op,
          ...(node.matching.on ? ['on'] : []),
          ...(node.matching.card === 'one-to-one' ? [] : ['group']),
        ]
      : node.kind === 'call'
        ? [node.name]
        : node.kind === 'aggregate'
          ? [node.op]
          : [];
  return [...own, ...children(node).flatMap(parts)];
}

test('the mix has 200 rules that are fine, in the shares of public rule files', () => {
  const { groups, errors } = parseRuleFile(ruleFile(), 'bench.yaml', compile);
  assert.deepEqual(errors, []);
  const rules = groups.flatMap((group) => group.rules);
  assert.equal(rules.length, 200);
  const counts = new Map<string, number>([['record', rules.filter(({ kind }) => kind === 'record').length]]);
  for (const { expression } of rules)
    for (const part of parts((expression as Expression).node)) counts.set(part, (counts.get(part) ?? 0) + 1);
  // Occurrences in 1,188 public rules; what came less than ten times there is left to chance.
  const published = {
    record: 95,
    '>': 805,
    '/': 290,
    and: 289,
    '*': 244,
    '==': 209,
    '<': 112,
    '-': 84,
    sum: 333,
    max: 52,
    count: 34,
    avg: 20,
    min: 15,
    topk: 16,
    rate: 323,
    increase: 102,
    histogram_quantile: 46,
    time: 27,
    changes: 22,
    max_over_time: 19,
    absent: 16,
    vector: 13,
    delta: 11,
    predict_linear: 11,
    label_replace: 10,
    on: 97,
    group: 41,
  };
  for (const [part, times] of Object.entries(published)) {
    const share = (counts.get(part) ?? 0) / ((times / 1188) * 200);
    assert.ok(share > 0.6 && share < 2.1, `${part}: ${counts.get(part)} of 200, ${times} of 1,188`);
  }
});

test('copies of the mix have names, windows and thresholds of their own', () => {
  const { groups, errors } = parseRuleFile(ruleFile(3), 'bench.yaml', compile);
  assert.deepEqual(errors, []);
  const rules = groups.flatMap((group) => group.rules);
  assert.equal(new Set(rules.map(({ name }) => name)).size, 600);
  const rates = rules.map(({ expr }) => /rate\(task_runs_total\[\d+s\]\)/.exec(expr)?.[0]).filter(Boolean);
  assert.equal(new Set(rates).size, 3 * 2, [...new Set(rates)].join());
});

test('a task has twenty series, all different, and the same whenever they are made', () => {
  const series = syntheticSeries(10);
  assert.equal(series.length, 10 * SERIES_PER_TASK);
  assert.equal(new Set(series.map(({ labels }) => labelsKey(labels))).size, series.length);
  const at = (seconds: number) => syntheticSeries(10).map((each) => each.at(seconds));
  assert.deepEqual(at(1000), at(1000));
  for (const value of at(1_800_000_000)) assert.ok(Number.isFinite(value));
});

test('counters grow but for restarts, and the buckets of a histogram are cumulative', () => {
  const series = syntheticSeries(10);
  const restarted = new Set<string>();
  for (const { labels, at } of series.filter((each) => /_total$|_count$/.test(each.labels.__name__!))) {
    for (let tick = 1; tick < 300; tick++)
      if (at(tick * 5) < at(tick * 5 - 5)) restarted.add(labels.task_name!);
  }
  assert.deepEqual([...restarted], ['task-3']);
  const buckets = series.filter(({ labels }) => labels.le !== undefined && labels.task_name === 'task-0');
  const counts = buckets.map((each) => each.at(5000));
  assert.deepEqual(
    counts,
    [...counts].sort((a, b) => a - b),
  );
});

test('both texts have a line per sample', () => {
  const [first] = syntheticSeries(1);
  const name =
    'task_runs_total{job="bench",instance="worker-1",messaging_system="bullmq",messaging_destination_name="queue-0",task_name="task-0"}';
  const value = first!.at(100);
  assert.equal(exposition([first!], 100), `${name} ${value}\n`);
  assert.equal(
    [...openMetrics([first!], [100, 105])].join(''),
    `${name} ${value} 100\n${name} ${first!.at(105)} 105\n# EOF\n`,
  );
});

test('the exponent of a cost: 1 where it is linear, 2 where it is quadratic', () => {
  assert.ok(Math.abs(exponent([1, 3, 10], [2, 6, 20]) - 1) < 1e-12);
  assert.ok(Math.abs(exponent([1, 3, 10], [2, 18, 200]) - 2) < 1e-12);
  assert.equal(exponent([1, 3, 10], [5, 5, 5]), 0);
});

test('CPU time of a process is found behind a name with blanks and parentheses', () => {
  const stat = `42 (a b) c) S 1 42 42 0 -1 4194304 100 0 0 0 150 25 0 0 20 0 4 0 100 0 0`;
  assert.equal(cpuOfStat(stat), 1750);
});
