import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Queryable } from '../../src/model/queryable.ts';
import { evaluateInstant } from '../../src/promql/evaluate.ts';
import { Memo } from '../../src/promql/memo.ts';
import { compile } from '../../src/promql/promql.ts';
import { SeriesStore } from '../../src/store/series-store.ts';

const T = 1_000_000;

/** A store with two series, the queries that were made of it, and what a query with a memo gives. */
function fixture() {
  const store = new SeriesStore({ maxSeries: 100, maxTicks: 100 });
  let selects = 0;
  const queryable: Queryable = {
    select: (...args) => {
      selects++;
      return store.select(...args);
    },
    lastWrite: (name) => store.lastWrite(name),
  };
  const memo = new Memo();
  const write = (t: number, name: string, value: number) =>
    store.append(t, [{ labels: { __name__: name, a: '1' }, value }]);
  /** Counts selections from here on. */
  const begin = () => {
    memo.clear();
    selects = 0;
  };
  return {
    begin,
    store,
    memo,
    write,
    selects: () => selects,
    query: (text: string, t = T) => {
      const value = evaluateInstant(compile(text), queryable, t, { memo });
      assert.equal(value.type, 'vector');
      return value.type === 'vector' ? value.samples.map((sample) => sample.value) : [];
    },
  };
}

test('expressions of one moment share their equal parts', () => {
  const { write, query, selects, begin } = fixture();
  for (let i = 0; i <= 3; i++) write(T - 30_000 + i * 10_000, 'x', i * 10);
  for (let round = 0; round < 2; round++) for (const part of ['sum(rate(x[1m]))', 'rate(x[1m])']) query(part);
  begin();
  assert.deepEqual(query('sum(rate(x[1m])) > 0'), [0.5]);
  assert.equal(selects(), 1);
  assert.deepEqual(query('rate(x[1m]) * 2'), [1], 'a part of a part');
  assert.deepEqual(query('2 + sum(rate(x[1m]))'), [2.5]);
  assert.equal(selects(), 1);
  query('rate(x[2m])');
  assert.equal(selects(), 2, 'another window is another part');
});

test('a write to a metric, a new series and a marker end what was kept of it, and of it alone', () => {
  const { store, write, query, selects, begin } = fixture();
  write(T, 'x', 1);
  write(T, 'y', 2);
  for (const part of ['x', 'y', 'x', 'y', '{a="1"}', '{a="1"}']) query(part);
  begin();
  assert.deepEqual([...query('x'), ...query('y'), ...query('x + y')], [1, 2, 3]);
  assert.equal(selects(), 2);
  write(T, 'x', 5);
  assert.deepEqual([...query('x'), ...query('y')], [5, 2]);
  assert.equal(selects(), 3);
  store.append(T, [{ labels: { __name__: 'x', a: '2' }, value: 7 }]);
  assert.deepEqual(query('x'), [5, 7]);
  store.markStale(store.series({ __name__: 'x', a: '1' }));
  assert.deepEqual(query('x'), [7]);
  assert.deepEqual(query('{a="1"}'), [2]);
  write(T, 'z', 3);
  assert.deepEqual(query('{a="1"}'), [2, 3], 'a selector without a name is of every metric');
});

test('what is asked for once at a moment is not kept at the next', () => {
  const { write, query, selects, begin } = fixture();
  write(T, 'x', 1);
  for (let round = 0; round < 3; round++) {
    query('x');
    begin();
  }
  query('x');
  query('x');
  assert.equal(selects(), 2, 'it turns out to be shared only now');
  begin();
  query('x');
  query('x');
  assert.equal(selects(), 1);
});

test('nothing is kept for another moment, nor for those that a subquery looks at', () => {
  const { write, query } = fixture();
  for (let i = 0; i <= 3; i++) write(T - 30_000 + i * 10_000, 'x', i);
  query('x');
  query('x');
  assert.deepEqual(query('x', T - 10_000), [2]);
  assert.deepEqual(query('x'), [3]);
  assert.deepEqual(query('sum_over_time(x[25s:10s]) + x'), [3 + 2 + 1 + 3]);
  assert.deepEqual(query('x', T - 20_000), [1]);
});

test('what is read from a queryable that does not tell of writes is not kept', () => {
  const store = new SeriesStore({ maxSeries: 10, maxTicks: 10 });
  const queryable: Queryable = { select: (...args) => store.select(...args) };
  const memo = new Memo();
  const expression = compile('sum(x)');
  const write = (value: number) => store.append(T, [{ labels: { __name__: 'x' }, value }]);
  for (const value of [1, 2, 3]) {
    write(value);
    const result = evaluateInstant(expression, queryable, T, { memo });
    assert.deepEqual(result, { type: 'vector', samples: [{ labels: {}, value }] });
  }
});
