import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Queryable } from '../../src/model/queryable.ts';
import { SeriesStore } from '../../src/store/series-store.ts';
import { STEP, serve, storeOf, T0 } from './server.ts';

const SECOND = T0 / 1000;
const LAST = SECOND + 95;
const store = storeOf([
  [{ __name__: 'depth', queue: 'b' }, (tick) => tick],
  [{ __name__: 'depth', queue: 'a' }, (tick) => (tick < 10 ? tick / 3 : undefined)],
  [{ __name__: 'odd', kind: 'nan' }, () => Number.NaN],
  [{ __name__: 'odd', kind: 'up' }, () => Number.POSITIVE_INFINITY],
  [{ __name__: 'odd', kind: 'down' }, () => Number.NEGATIVE_INFINITY],
  [{ __name__: 'odd', kind: 'tiny' }, () => 1.5e-7],
  [{ __name__: 'odd', kind: 'huge' }, () => 1e21],
]);
const { get, post, ask, faults } = await serve({ queryable: store });

test('an instant vector, by GET and by POST, at the present time unless another is given', async () => {
  const expected = {
    status: 'success',
    data: {
      resultType: 'vector',
      result: [{ metric: { __name__: 'depth', queue: 'b' }, value: [LAST, '19'] }],
    },
  };
  const parameters = { query: 'depth{queue="b"}' };
  const answer = await get('query', parameters);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.deepEqual(answer.json, expected);
  assert.deepEqual((await post('query', parameters)).json, expected);
  const past = await get('query', { ...parameters, time: '2023-11-14T22:13:30.500Z' });
  assert.deepEqual(past.json.data.result[0].value, [SECOND + 10.5, '2']);
});

test('a form wins over the address, and both are read', async () => {
  const { json } = await ask('/api/v1/query?query=7&time=9', {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded; charset=UTF-8' },
    body: 'query=8',
  });
  assert.deepEqual(json.data, { resultType: 'scalar', result: [9, '8'] });
});

test('scalar, string and matrix', async () => {
  const data = async (query: string) => (await get('query', { query, time: String(LAST) })).json.data;
  assert.deepEqual(await data('1+1'), { resultType: 'scalar', result: [LAST, '2'] });
  assert.deepEqual(await data('"a\\n\\"b"'), { resultType: 'string', result: [LAST, 'a\n"b'] });
  assert.deepEqual(await data('depth{queue="b"}[11s]'), {
    resultType: 'matrix',
    result: [
      {
        metric: { __name__: 'depth', queue: 'b' },
        values: [
          [LAST - 10, '17'],
          [LAST - 5, '18'],
          [LAST, '19'],
        ],
      },
    ],
  });
});

test('values are written as Prometheus writes them', async () => {
  const { json } = await get('query', { query: 'odd' });
  const found = json.data.result.map((sample: { metric: { kind: string }; value: [number, string] }) => [
    sample.metric.kind,
    sample.value[1],
  ]);
  assert.deepEqual(Object.fromEntries(found), {
    nan: 'NaN',
    up: '+Inf',
    down: '-Inf',
    tiny: '1.5e-07',
    huge: '1e+21',
  });
});

test('a range: series in order, each with the steps at which it has a value', async () => {
  const { json } = await get('query_range', {
    query: 'depth',
    ...{ start: String(SECOND), end: String(SECOND + 20), step: '10' },
  });
  assert.deepEqual(json.data, {
    resultType: 'matrix',
    result: [
      {
        metric: { __name__: 'depth', queue: 'a' },
        values: [
          [SECOND, '0'],
          [SECOND + 10, '0.6666666666666666'],
          [SECOND + 20, '1.3333333333333333'],
        ],
      },
      {
        metric: { __name__: 'depth', queue: 'b' },
        values: [
          [SECOND, '0'],
          [SECOND + 10, '2'],
          [SECOND + 20, '4'],
        ],
      },
    ],
  });
});

test('a range in many parts is the range as a whole', async () => {
  const range = { start: String(SECOND), end: String(LAST), step: '9ms' };
  const query = 'sum(depth @ start()) + sum(depth @ end()) + sum(depth)';
  const { json } = await post('query_range', { query, ...range });
  const [{ values }] = json.data.result;
  assert.equal(values.length, 10_556);
  assert.deepEqual(values[0], [SECOND, String(0 + 19 + 3 + 0)]);
  assert.equal(values[10_555][1], String(0 + 22 + 18 + 3));
  assert.deepEqual(
    values.map(([t]: [number]) => Math.round(t * 1000)),
    values.map((_: unknown, at: number) => T0 + at * 9),
  );
});

const MISTAKES: [endpoint: string, parameters: Record<string, string>, message: string][] = [
  ['query', { query: 'sum(' }, 'invalid parameter "query": 1:5: parse error: unclosed left parenthesis'],
  [
    'query',
    { query: 'rate(depth)' },
    'invalid parameter "query": 1:6: parse error: expected type range vector in call to function "rate", got instant vector',
  ],
  [
    'query',
    { query: 'depth', time: 'noon' },
    'invalid parameter "time": cannot parse "noon" to a valid timestamp',
  ],
  [
    'query',
    { query: 'depth', time: 'NaN' },
    'invalid parameter "time": cannot parse "NaN" to a valid timestamp',
  ],
  ['query', { query: 'depth', limit: '-1' }, 'invalid parameter "limit": limit must be non-negative'],
  ['query', { query: 'depth', limit: 'x' }, 'invalid parameter "limit": cannot parse "x" to a number'],
  [
    'query',
    { query: 'depth', timeout: 'x' },
    'invalid parameter "timeout": cannot parse "x" to a valid duration',
  ],
  ['query_range', { query: 'depth' }, 'invalid parameter "start": cannot parse "" to a valid timestamp'],
  [
    'query_range',
    { query: 'depth', start: '2', end: '1', step: '1' },
    'invalid parameter "end": end timestamp must not be before start time',
  ],
  [
    'query_range',
    { query: 'depth', start: '1', end: '2', step: '0' },
    'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer',
  ],
  [
    'query_range',
    { query: 'depth', start: '1', end: '2', step: '1e300' },
    'invalid parameter "step": cannot parse "1e300" to a valid duration',
  ],
  [
    'query_range',
    { query: 'depth', start: '0', end: '11001', step: '1' },
    'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
  ],
  [
    'query_range',
    { query: 'depth', start: '-1e300', end: '1e300', step: '1' },
    'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
  ],
  [
    'query_range',
    { query: 'depth[1m]', start: '1', end: '2', step: '1' },
    'invalid parameter "query": invalid expression type "range vector" for range query, must be Scalar or instant Vector',
  ],
];

for (const [endpoint, parameters, error] of MISTAKES)
  test(`${endpoint} ${JSON.stringify(parameters)}: ${error}`, async () => {
    const answer = await get(endpoint, parameters);
    assert.deepEqual(answer.json, { status: 'error', errorType: 'bad_data', error });
    assert.equal(answer.status, 400);
  });

test('a query that the series do not allow is an execution error', async () => {
  const answer = await get('query', { query: 'depth * on () odd' });
  assert.equal(answer.status, 422);
  assert.equal(answer.json.errorType, 'execution');
  assert.match(answer.json.error, /many-to-many|multiple matches|duplicate series/);
});

test('limit cuts the result and says so', async () => {
  const { json } = await get('query', { query: 'odd', limit: '2' });
  assert.equal(json.data.result.length, 2);
  assert.deepEqual(json.warnings, ['results truncated due to limit']);
  const whole = await get('query', { query: 'odd', limit: '5' });
  assert.equal(whole.json.warnings, undefined);
});

test('a time far away has no samples and ends at once', async () => {
  for (const time of ['1e300', '-1e300', '-292273086-05-16T16:47:06Z'])
    assert.deepEqual((await get('query', { query: 'depth', time })).json.data.result, []);
  const far = { query: 'vector(1)', start: '8.64e12', end: '1e15', step: '1ms' };
  const [{ values }] = (await get('query_range', far)).json.data.result;
  assert.equal(values.length, 1);
});

test('a query that takes too long ends in time, and others are answered meanwhile', async () => {
  const { get: slow } = await serve({ queryable: store, limits: { queryMs: 60 } });
  const heavy = 'sum_over_time(sum_over_time(depth[5m:1ms])[1h:1s])';
  const [long, range, short] = await Promise.all([
    slow('query', { query: heavy }),
    slow('query_range', { query: heavy, start: '0', end: '10000', step: '1' }),
    slow('query', { query: '1' }),
  ]);
  for (const { status, json } of [long, range]) {
    assert.equal(status, 503);
    const error = 'query timed out in expression evaluation';
    assert.deepEqual(json, { status: 'error', errorType: 'timeout', error });
  }
  assert.equal(short.status, 200);
});

test('no single step holds the thread for long, whatever it is made of', async () => {
  const many = storeOf(
    Array.from({ length: 5000 }, (_, at) => [{ __name__: 'many', n: String(at) }, () => at] as const),
    2,
  );
  const { get: ask } = await serve({ queryable: many });
  for (const query of [
    `${'label_replace('.repeat(90)}many${',"a","$1x","n","(.*)")'.repeat(90)}`,
    Array(800).fill('many').join(' or '),
  ]) {
    const { json } = await ask('query', { query, time: String(SECOND + 5) });
    assert.equal(json.errorType, 'timeout');
  }
});

test('an expression that is too deep is a mistake, not a fault', async () => {
  for (const query of [
    `${'('.repeat(5000)}1${')'.repeat(5000)}`,
    `depth${'+1'.repeat(50_000)}`,
    '-'.repeat(3000),
  ]) {
    const { status, json } = await post('query', { query });
    assert.deepEqual([status, json.errorType], [400, 'bad_data']);
  }
  assert.ok([200, 400].includes((await post('query', { query: `depth${'+1'.repeat(1900)}` })).status));
  assert.deepEqual(faults, []);
});

test('the timeout of a request holds where it is shorter', async () => {
  const heavy = 'sum_over_time(sum_over_time(depth[5m:1ms])[1h:1s])';
  const answer = await get('query_range', {
    query: heavy,
    timeout: '20ms',
    start: '0',
    end: '10000',
    step: '1',
  });
  assert.deepEqual([answer.status, answer.json.errorType], [503, 'timeout']);
});

test('timers go on during a long query', async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const range = { start: String(SECOND), end: String(LAST), step: '50ms' };
  const answer = await post('query_range', {
    query: 'sum(sum_over_time(depth[9s:50ms]))',
    ...range,
  });
  clearInterval(timer);
  assert.equal(answer.status, 200);
  assert.ok(turns >= 3, `${turns} turns`);
});

test('answers are bounded', async () => {
  const many = storeOf(
    Array.from({ length: 300 }, (_, at) => [{ __name__: 'many', n: String(at) }, () => at] as const),
    2,
  );
  const { get: ask } = await serve({ queryable: many });
  const answer = await ask('query_range', {
    query: 'many',
    start: String(SECOND),
    end: String(SECOND + 100),
    step: '100ms',
  });
  assert.equal(answer.status, 422);
  assert.match(answer.json.error, /^query would return more than 250000 samples/);
});

test('a fault of ours is an answer too, and is told', async () => {
  const broken: Queryable = {
    select: () => {
      throw new Error('broken store');
    },
  };
  const { get: ask, faults: told } = await serve({ queryable: broken });
  const { status, json } = await ask('query', { query: 'depth' });
  assert.deepEqual([status, json], [500, { status: 'error', errorType: 'internal', error: 'broken store' }]);
  assert.equal(told.length, 1);
  assert.deepEqual(faults, []);
});

test(`the times of samples are whole milliseconds, whatever those of the store`, async () => {
  const queryable = new SeriesStore({ maxSeries: 9, maxTicks: 9 });
  queryable.append(T0 + 0.4, [{ labels: { __name__: 'x' }, value: 1 }]);
  const { get: ask } = await serve({ queryable, now: () => T0 + STEP + 0.6 });
  assert.deepEqual((await ask('query', { query: 'x[1m]' })).json.data.result[0].values, [[SECOND, '1']]);
  assert.deepEqual((await ask('query', { query: 'x' })).json.data.result[0].value, [SECOND + 5.001, '1']);
});
