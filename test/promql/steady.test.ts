import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Sample } from '../../src/model/queryable.ts';
import { evaluateInstant } from '../../src/promql/evaluate.ts';
import { Grouping } from '../../src/promql/grouping.ts';
import { compile, type Expression } from '../../src/promql/promql.ts';
import { SeriesStore } from '../../src/store/series-store.ts';

const EXPRESSIONS = [
  'sum by (q) (rate(a[30s]))',
  'avg without (t) (b)',
  'count_values("v", c % 3)',
  'quantile by (q) (0.5, a)',
  'topk(2, b)',
  'histogram_quantile(0.9, sum by (le, q) (rate(h[30s])))',
  'histogram_quantile(0.9, h)',
  'a * 2 + b',
  'a / on (q, t) b',
  'a > on (q) group_left () sum by (q) (b) / 4',
  'sum by (q) (b) * on (q) group_right () a',
  'a > 20 and b > 5',
  'a > 20 unless on (q) b > 15',
  'a > 25 or b',
  '{__name__=~"a|b", t="1"} + 0',
  'max_over_time({__name__=~"a|b"}[30s])',
  'sum(a) by (q) > bool 30',
];

/** A number that looks drawn by lot, the same in every run. */
const lot = (n: number) => Math.imul(n ^ 0x9e3779b9, 0x85ebca6b) >>> 16;

function outcome(expression: Expression, store: SeriesStore, t: number): unknown {
  try {
    return evaluateInstant(expression, store, t);
  } catch (error) {
    return String(error);
  }
}

test('an expression that is evaluated again and again gives what a new one would, whichever series come and go', () => {
  const store = new SeriesStore({ maxSeries: 1000, maxTicks: 8 });
  const kept = EXPRESSIONS.map((text) => compile(text));
  let changes = 0;
  for (let tick = 0; tick < 60; tick++) {
    const t = 1_000_000 + tick * 10_000;
    const samples: Sample[] = [];
    for (const [n, name] of ['a', 'b', 'c', 'h', 'h'].entries()) {
      for (let i = 0; i < 12; i++) {
        // Now and then a series comes or goes; most ticks change nothing.
        const isGone = lot(n * 100 + i + (tick >> 3) * 1000) % 5 === 0;
        const labels = {
          __name__: name,
          q: String(i % 3),
          t: String(i % 4),
          ...(n > 2 && { le: n === 3 ? '1' : '+Inf' }),
        };
        if (isGone) store.markStale(store.series(labels));
        else samples.push({ labels, value: (lot(tick * 50 + i) % 20) + tick });
        if (isGone) changes++;
      }
    }
    store.append(t, samples);
    for (const expression of kept) {
      assert.deepEqual(
        outcome(expression, store, t),
        outcome(compile(expression.text), store, t),
        `${expression.text} at ${tick}`,
      );
    }
  }
  assert.ok(changes > 50);
});

test('groups of more label sets than are remembered are still told apart', () => {
  const vector = (from: number) =>
    Array.from({ length: 10_500 }, (_, i) => ({ labels: { a: String(from + i), b: 'x' }, value: 1 }));
  const grouping = new Grouping(['b'], true);
  for (const from of [0, 6000, 10_500]) {
    const { groups, groupOf } = grouping.layout(vector(from));
    assert.equal(groups.length, 10_500);
    assert.equal(groups[groupOf[5]!]!.a, String(from + 5));
  }
  const store = new SeriesStore({ maxSeries: 50_000, maxTicks: 2 });
  store.append(
    1000,
    ['x', 'y'].flatMap((__name__) =>
      vector(0).map(({ labels }) => ({ labels: { ...labels, __name__ }, value: 1 })),
    ),
  );
  const value = evaluateInstant(compile('count(x * on (a) y)'), store, 1000);
  assert.deepEqual(value.type === 'vector' && value.samples.map((sample) => sample.value), [10_500]);
});
