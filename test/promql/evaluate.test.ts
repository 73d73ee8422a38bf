import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Labels } from '../../src/model/labels.ts';
import type { Matcher } from '../../src/model/queryable.ts';
import { compile, evaluateInstant, evaluateRange } from '../../src/promql/promql.ts';
import { timeLimit } from '../../src/promql/time-limit.ts';
import { SeriesStore } from '../../src/store/series-store.ts';

/** `a{q="0"}` to `a{q="<series - 1>"}`, every second from 0 to `seconds`; each sample is its time in seconds. */
function filled(series: number, seconds: number): SeriesStore {
  const store = new SeriesStore({ maxSeries: 1000, maxTicks: 1000 });
  for (let t = 0; t <= seconds; t++) {
    const samples = Array.from({ length: series }, (_, q) => ({
      labels: { __name__: 'a', q: String(q) },
      value: t,
    }));
    store.append(t * 1000, samples);
  }
  return store;
}

test('an instant query gives each kind of value', () => {
  const store = filled(1, 10);
  assert.deepEqual(evaluateInstant(compile('1 + 1'), store, 0), { type: 'scalar', value: 2 });
  assert.deepEqual(evaluateInstant(compile('"x"'), store, 0), { type: 'string', value: 'x' });
  assert.deepEqual(evaluateInstant(compile('a * 2'), store, 3000), {
    type: 'vector',
    samples: [{ labels: { q: '0' }, value: 6 }],
  });
  assert.deepEqual(evaluateInstant(compile('a[2s]'), store, 5500), {
    type: 'matrix',
    series: [{ labels: { __name__: 'a', q: '0' }, times: [4000, 5000], values: [4, 5] }],
  });
});

test('the look-back is an option, open on the left', () => {
  const store = filled(1, 10);
  const count = (t: number, lookbackMs?: number): number => {
    const value = evaluateInstant(compile('a'), store, t, lookbackMs === undefined ? {} : { lookbackMs });
    return value.type === 'vector' ? value.samples.length : -1;
  };
  assert.equal(count(309_999), 1);
  assert.equal(count(310_000), 0);
  assert.equal(count(14_999, 5000), 1);
  assert.equal(count(15_000, 5000), 0);
});

test('a range query leaves out steps without a value and takes scalars', () => {
  const store = filled(1, 10);
  assert.deepEqual(evaluateRange(compile('a > 3 < 6'), store, 0, 9500, 2000), {
    type: 'matrix',
    series: [{ labels: { __name__: 'a', q: '0' }, times: [4000], values: [4] }],
  });
  assert.deepEqual(evaluateRange(compile('time()'), store, 1000, 2000, 500), {
    type: 'matrix',
    series: [{ labels: {}, times: [1000, 1500, 2000], values: [1, 1.5, 2] }],
  });
  assert.deepEqual(evaluateRange(compile('nothing'), store, 0, 1000, 1000), { type: 'matrix', series: [] });
});

test('a range query of a range vector or with a useless step is refused', () => {
  const store = filled(1, 1);
  assert.throws(() => evaluateRange(compile('a[5m]'), store, 0, 1, 1), {
    code: 'TASKWARDEN_PROMQL',
    message: 'invalid expression type "range vector" for range query, must be Scalar or instant Vector',
  });
  for (const step of [0, -1, Number.NaN]) {
    assert.throws(
      () => evaluateRange(compile('a'), store, 0, 1, step),
      /step of a range query must be greater than 0/,
    );
  }
});

test('a query that reads more than its share of samples is refused, however it comes by them', () => {
  const store = filled(10, 100);
  const instant = (expr: string, maxSamples: number): (() => unknown) => {
    return () => evaluateInstant(compile(expr), store, 100_000, { maxSamples });
  };
  const refused = { code: 'TASKWARDEN_PROMQL', message: /^query would read more than \d+ samples$/ };
  assert.throws(instant('rate(a[50s])', 499), refused);
  assert.doesNotThrow(instant('rate(a[50s])', 500));
  assert.throws(instant('a', 9), refused);
  assert.throws(instant('max_over_time(vector(1)[1h:1ms])', 1000), refused);
  assert.throws(instant('max_over_time(nothing[1y:1ms])', 1000), refused);
  assert.throws(() => evaluateRange(compile('nothing'), store, 0, 1e12, 1, { maxSamples: 1000 }), refused);
  assert.throws(() => evaluateRange(compile('1'), store, 0, 1e12, 1, { maxSamples: 1000 }), refused);
});

test('an evaluation ends when its time is over, as told by the clock that it was given', () => {
  const store = filled(10, 100);
  const expression = compile('max_over_time(sum(a)[1d:1s])');
  let clock = 0;
  const run = (perLook: number): unknown => {
    const now = (): number => {
      clock += perLook;
      return clock;
    };
    return evaluateInstant(expression, store, 100_000, { onTaken: timeLimit(now, 1000) });
  };
  assert.doesNotThrow(() => run(0));
  assert.throws(() => run(600), {
    code: 'TASKWARDEN_PROMQL',
    message: 'query timed out in expression evaluation after 1000 ms',
  });
});

test('groups and matches are remembered without mixing up series that come later', () => {
  const store = new SeriesStore({ maxSeries: 10, maxTicks: 4 });
  const expression = compile('sum by (q) (rate(a[3s])) * on (q) group_left (n) b');
  const seen: string[] = [];
  for (let t = 0; t < 30; t++) {
    const q = String(Math.floor(t / 10));
    store.append(t * 1000, [
      { labels: { __name__: 'a', q, i: '1' }, value: t },
      { labels: { __name__: 'a', q, i: '2' }, value: t },
      { labels: { __name__: 'b', q, n: `n${q}` }, value: 10 },
    ]);
    const value = evaluateInstant(expression, store, t * 1000, { lookbackMs: 1000 });
    if (t % 10 === 9 && value.type === 'vector') {
      for (const { labels, value: number } of value.samples) seen.push(`${JSON.stringify(labels)} ${number}`);
    }
  }
  assert.deepEqual(seen, ['{"q":"0","n":"n0"} 20', '{"q":"1","n":"n1"} 20', '{"q":"2","n":"n2"} 20']);
});

test('no regular expression runs again while the series stay the same', () => {
  let asked = 0;
  const store = filled(50, 20);
  const expression = compile('sum(rate(a{q=~"1.*x?"}[5s]))');
  for (const matchers of expression.selectors() as Matcher[][]) {
    for (const [at, matcher] of matchers.entries()) {
      const matches = (value: string): boolean => ++asked > 0 && matcher.matches(value);
      matchers[at] = { ...matcher, matches };
    }
  }
  evaluateInstant(expression, store, 20_000);
  const first = asked;
  assert.ok(first > 0);
  evaluateInstant(expression, store, 20_000);
  assert.equal(asked, first);
});

test('a label named like a member of Object.prototype is a label like any other', () => {
  const store = new SeriesStore({ maxSeries: 10, maxTicks: 4 });
  const labels: Labels = Object.fromEntries([
    ['__name__', 'a'],
    ['constructor', 'x'],
    ['__proto__', 'y'],
  ]);
  store.append(0, [{ labels, value: 1 }]);
  store.append(0, [{ labels: { __name__: 'b' }, value: 1 }]);
  const labelsOf = (expr: string): string[] => {
    const value = evaluateInstant(compile(expr), store, 0);
    return value.type === 'vector'
      ? value.samples.map((sample) => JSON.stringify(Object.entries(sample.labels)))
      : [];
  };
  assert.deepEqual(labelsOf('sum by (constructor) (b)'), ['[]']);
  assert.deepEqual(labelsOf('sum by (constructor) (a)'), ['[["constructor","x"]]']);
  assert.deepEqual(labelsOf('sum by (__proto__) (a)'), ['[["__proto__","y"]]']);
  assert.deepEqual(labelsOf('b{toString=""}'), ['[["__name__","b"]]']);
});

test('a long chain of operators is evaluated', () => {
  const store = filled(2, 1);
  const value = evaluateInstant(compile(`a${' + a'.repeat(1000)}`), store, 1000);
  assert.deepEqual(value.type === 'vector' && value.samples.map((sample) => sample.value), [1001, 1001]);
});
