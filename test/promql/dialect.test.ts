import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compile, type Dialect, evaluateInstant, V3 } from '../../src/promql/promql.ts';
import { V2 } from '../../src/promql/v2.ts';
import { SeriesStore } from '../../src/store/series-store.ts';

/** A sample a minute: `a` counts from 0, `b` has a huge value and its opposite. */
const store = new SeriesStore({ maxSeries: 10, maxTicks: 10 });
for (let minute = 0; minute <= 5; minute++) {
  store.append(minute * 60_000, [
    { labels: { __name__: 'a' }, value: minute },
    { labels: { __name__: 'b', i: '1' }, value: 1e100 },
    { labels: { __name__: 'b', i: '2' }, value: 1 },
    { labels: { __name__: 'b', i: '3' }, value: -1e100 },
    { labels: { __name__: 'c', i: '1' }, value: Number.POSITIVE_INFINITY },
  ]);
}

function both(expr: string, t = 300_000): (number | undefined)[] {
  return [V2, V3].map((dialect: Dialect) => {
    const value = evaluateInstant(compile(expr, dialect), store, t);
    return value.type === 'vector' ? value.samples[0]?.value : Number.NaN;
  });
}

test('version 2 counts the sample at the start of a window, version 3 does not', () => {
  assert.deepEqual(both('count_over_time(a[5m])'), [6, 5]);
  assert.deepEqual(both('increase(a[1m])'), [1, undefined]);
  assert.deepEqual(both('count_over_time(a[2m:1m])'), [3, 2]);
  assert.deepEqual(both('a', 600_000), [5, undefined]);
});

test('version 2 leaves the name at atan2 and loses what a sum rounds away', () => {
  const names = [V2, V3].map((dialect) => {
    const value = evaluateInstant(compile('a atan2 a', dialect), store, 300_000);
    return value.type === 'vector' && value.samples[0]?.labels.__name__;
  });
  assert.deepEqual(names, ['a', undefined]);
  assert.deepEqual(both('sum(b)'), [0, 1]);
  assert.deepEqual(both('stddev(c)'), [0, Number.NaN]);
});
