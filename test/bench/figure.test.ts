import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare } from '../../bench/lib/compare.ts';
import { figure, type Measured } from '../../bench/lib/figure.ts';
import { table } from '../../bench/lib/table.ts';
import { BARE, CONTROL, METRICS, SPANS, variants } from '../../bench/lib/variants.ts';

const measured: Measured = { case: 'noop: x', metric: 'm_ratio', unit: 'ratio', value: 1.23456, n: 5 };

test('a figure has every field of the format, rounded to four digits', () => {
  assert.deepEqual(figure('overhead', measured), {
    bench: 'overhead',
    case: 'noop: x',
    metric: 'm_ratio',
    value: 1.235,
    unit: 'ratio',
    baseline: null,
    goal: null,
    ok: null,
    node: process.versions.node,
    n: 5,
    spread: null,
    noise: null,
  });
});

test('goals are judged on the unrounded value, in their direction', () => {
  const ok = (value: number, goal: number, better: 'lower' | 'higher') =>
    figure('b', { ...measured, value, goal: { value: goal, better } }).ok;
  assert.equal(ok(1.25, 1.25, 'lower'), true);
  assert.equal(ok(1.25001, 1.25, 'lower'), false);
  assert.equal(ok(0.85, 0.85, 'higher'), true);
  assert.equal(ok(0.84999, 0.85, 'higher'), false);
});

test('a value that could not be measured is null and misses its goal', () => {
  const result = figure('b', {
    ...measured,
    value: Number.NaN,
    spread: [Number.NaN, Number.NaN],
    goal: { value: 1, better: 'lower' },
  });
  assert.equal(result.value, null);
  assert.equal(result.ok, false);
  assert.equal(result.spread, null);
  assert.match(table([result]), /none .* MISSED/);
});

test('each variant is compared round by round with the bare one, and judged by the control', () => {
  const results = new Map(
    variants('/preload.js', 'http://127.0.0.1:1').map((variant) => {
      const values: Record<string, number[]> = {
        [BARE]: [10, 20, 10],
        [CONTROL]: [9, 22, 10],
        [METRICS]: [10.5, 20, 11],
        [SPANS]: [20, 60, 25],
      };
      return [variant, values[variant.name]!.map((cpu) => ({ cpu }))] as const;
    }),
  );
  const rows = compare(results, {
    case: 'noop',
    metric: 'cpu_ratio',
    unit: 'ratio',
    by: 'ratio',
    of: ({ cpu }) => cpu,
    goals: { [SPANS]: { value: 2, better: 'lower' } },
  }).map((row) => figure('overhead', row));
  assert.deepEqual(
    rows.map((row) => [row.case, row.value, row.spread, row.baseline, row.ok, row.noise]),
    [
      ['noop: bare again', 1, [0.92, 1.08], null, null, null],
      ['noop: taskwarden metrics only', 1.05, [1.01, 1.09], 1, null, true],
      ['noop: taskwarden with spans', 2.5, [2.1, 2.9], 1, false, false],
    ],
  );
  assert.match(table(rows), /metrics only .* inside the spread of the control/);
});

test('only the preloaded variants get the preload and the receiver, and only one of them has spans', () => {
  const all = variants('/a b/preload.js', 'http://127.0.0.1:4318');
  assert.deepEqual(
    all.map(({ nodeArgs, traces, env }) => [nodeArgs, traces, env.OTEL_TRACES_EXPORTER]),
    [
      [[], false, undefined],
      [[], false, undefined],
      [['--import', 'file:///a%20b/preload.js'], false, 'none'],
      [['--import', 'file:///a%20b/preload.js'], true, undefined],
    ],
  );
  assert.ok(all.slice(2).every(({ env }) => env.OTEL_EXPORTER_OTLP_ENDPOINT === 'http://127.0.0.1:4318'));
});
