import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { Labels } from '../../src/model/labels.ts';
import { STEP, serve, storeOf, T0, type ValueAt } from '../api/server.ts';
import { random } from '../attribution/synthetic.ts';
import { goMissing, prometheus3Binaries } from '../helpers/go-programs.ts';
import { type Prometheus, startPrometheus } from '../helpers/prometheus.ts';

/** The API against a real Prometheus that has the same samples: what a client of Prometheus asks is answered alike. */
const TICKS = 720;
const END = (T0 + (TICKS - 30) * STEP) / 1000;
const INSTANCES = ['a:9100', 'b:9100', 'c:9200'];
const BOUNDS = ['0.1', '0.5', '1', '5', '+Inf'];

/** Gauges that walk, counters that are reset now and then, histograms, and timestamps. */
function series(): (readonly [Labels, ValueAt])[] {
  const next = random(42);
  const all: (readonly [Labels, ValueAt])[] = [];
  const add = (labels: Record<string, string>, values: readonly number[]) =>
    all.push([labels, (tick) => values[tick]]);
  const walk = (start: number, step: number) => {
    let at = start;
    return Array.from({ length: TICKS }, () => (at += (next() - 0.5) * step));
  };
  const counter = (rate: number) => {
    let at = 0;
    return Array.from({ length: TICKS }, () => (at = next() < 0.01 ? 0 : at + next() * rate));
  };
  for (const instance of INSTANCES) {
    const job = 'demo';
    for (const type of ['used', 'free', 'cached', 'buffers'])
      add({ __name__: 'memory_bytes', instance, job, type }, walk(1e9, 1e7));
    for (const mode of ['user', 'system', 'idle'])
      add({ __name__: 'cpu_seconds_total', instance, job, mode }, counter(5));
    add({ __name__: 'cpus', instance, job }, Array(TICKS).fill(4));
    add({ __name__: 'disk_bytes', instance, job }, walk(5e10, 1e6));
    let last = T0 / 1000;
    add(
      { __name__: 'last_success_timestamp_seconds', instance, job },
      Array.from({ length: TICKS }, (_, tick) => {
        if (next() < 0.05) last = T0 / 1000 + tick * 5;
        return last;
      }),
    );
    for (const path of ['/', '/slow']) {
      const counts = BOUNDS.map(() => counter(3));
      BOUNDS.forEach((le, at) => {
        const sums = counts[0]!.map((_, tick) =>
          counts.slice(0, at + 1).reduce((sum, values) => sum + Math.floor(values[tick]!), 0),
        );
        add({ __name__: 'duration_seconds_bucket', instance, job, path, le }, sums);
      });
    }
  }
  return all;
}

function openMetrics(all: readonly (readonly [Labels, ValueAt])[]): string {
  const lines: string[] = [];
  const byName = Map.groupBy(all, ([labels]) => labels.__name__!);
  for (const [name, members] of byName) {
    lines.push(`# TYPE ${name} unknown`);
    for (const [{ __name__, ...labels }, at] of members) {
      const text = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
      for (let tick = 0; tick < TICKS; tick++)
        lines.push(`${name}{${text}} ${at(tick)} ${T0 / 1000 + (tick * STEP) / 1000}`);
    }
  }
  return `${lines.join('\n')}\n# EOF\n`;
}

const each = (all: readonly string[], make: (one: string) => string): string[] => all.map(make);
const AGGREGATIONS = ['sum', 'avg', 'max', 'min', 'count', 'stddev', 'stdvar', 'group'];
const ARITHMETIC = ['+', '-', '*', '/', '%', '^'];
const COMPARISONS = ['==', '!=', '<', '>', '<=', '>='];
const RANGES = ['1s', '15s', '1m', '5m', '15m', '40m'];
const MATHS = 'abs ceil floor exp sqrt ln log2 log10 round sgn sin cos tanh deg rad'.split(' ');
const OVER_TIME = 'sum avg max min count stddev stdvar absent last present mad'.split(' ');
const DATES = 'minute hour day_of_week day_of_month day_of_year days_in_month month year'.split(' ');

const QUERIES: readonly string[] = [
  ...['7', '1.5e-3', '0x1f', '+Inf', '-Inf', 'NaN', 'time()', '-2 ^ 2', '1 + 2 * 3 % 4 ^ 2', '"text"'],
  ...[
    'memory_bytes',
    '{__name__="memory_bytes"}',
    'memory_bytes{type!="free"}',
    'memory_bytes{instance=~"a.*|c:9200"}',
  ],
  ...[
    'memory_bytes{instance!~".*:9100"}',
    '{type="free", instance!="a:9100"}',
    '{__name__=~".*"}',
    'absent_name',
  ],
  ...each(['30s', '5m', '10m', '-30s', '-1m'], (offset) => `memory_bytes offset ${offset}`),
  ...['memory_bytes @ end()', 'memory_bytes @ start()', `rate(cpu_seconds_total[5m] @ ${END - 60})`],
  ...AGGREGATIONS.flatMap((op) =>
    each(
      [
        '',
        ' by ()',
        ' by (instance)',
        ' by (instance, type)',
        ' by (nothing)',
        ' without ()',
        ' without (instance, type)',
      ],
      (grouping) => `${op}${grouping} (memory_bytes)`,
    ),
  ),
  ...each(AGGREGATIONS, (op) => `${op}(absent_name)`),
  ...each(['', ' by (instance)', ' without (instance)'], (grouping) => `topk${grouping} (2, memory_bytes)`),
  ...each(
    ['', ' by (instance)', ' without (instance)'],
    (grouping) => `bottomk${grouping} (2, memory_bytes)`,
  ),
  ...each(['-0.5', '0', '0.1', '0.5', '0.75', '1', '1.5'], (q) => `quantile(${q}, memory_bytes)`),
  ...each(
    ['-0.5', '0', '0.1', '0.5', '0.75', '1', '1.5'],
    (q) => `quantile_over_time(${q}, memory_bytes[5m])`,
  ),
  ...each(
    ['-0.5', '0', '0.1', '0.5', '0.95', '1'],
    (q) => `histogram_quantile(${q}, rate(duration_seconds_bucket[1m]))`,
  ),
  'histogram_quantile(0.9, sum by (le, path) (rate(duration_seconds_bucket[5m])))',
  'histogram_quantile(0.9, memory_bytes)',
  'count_values("value", cpus)',
  ...[...ARITHMETIC, ...COMPARISONS, 'atan2'].flatMap((op) => [
    `memory_bytes ${op} 1.25`,
    `0.125 ${op} memory_bytes`,
    `time() ${op} memory_bytes`,
    `memory_bytes ${op} on (instance, job, type) memory_bytes`,
    `sum by (instance, type) (memory_bytes) ${op} on (instance, type) group_left (job) memory_bytes`,
  ]),
  ...COMPARISONS.flatMap((op) => [
    `1 ${op} bool time()`,
    `memory_bytes ${op} bool 1e9`,
    `cpus + (1 ${op} bool 2)`,
  ]),
  ...['and', 'or', 'unless'].flatMap((op) => [
    `memory_bytes ${op} memory_bytes > 1e9`,
    `memory_bytes ${op} on (instance) cpus`,
    `memory_bytes ${op} ignoring (type) disk_bytes`,
  ]),
  ...['memory_bytes / on (instance, job) group_left () cpus', 'memory_bytes / on (instance) memory_bytes'],
  ...[
    '-memory_bytes',
    'timestamp(memory_bytes)',
    'timestamp(memory_bytes * 1)',
    'timestamp(timestamp(cpus))',
  ],
  ...MATHS.flatMap((name) => [`${name}(memory_bytes)`, `${name}(-memory_bytes)`]),
  ...RANGES.flatMap((range) => [
    ...each(OVER_TIME, (name) => `${name}_over_time(memory_bytes[${range}])`),
    ...each(
      ['rate', 'increase', 'irate', 'idelta', 'delta', 'resets'],
      (name) => `${name}(cpu_seconds_total[${range}])`,
    ),
    `deriv(disk_bytes[${range}])`,
    `predict_linear(disk_bytes[${range}], 600)`,
    `changes(last_success_timestamp_seconds[${range}])`,
  ]),
  ...each(DATES, (name) => `${name}()`),
  ...each(DATES, (name) => `${name}(last_success_timestamp_seconds offset 5m)`),
  ...['clamp_min(memory_bytes, 1e9)', 'clamp_max(memory_bytes, 1e9)', 'clamp(memory_bytes, 1e12, 0)'],
  ...[
    'vector(time())',
    'scalar(sum(cpus))',
    'absent(memory_bytes)',
    'absent(nothing{a="b"})',
    'sort_desc(cpus)',
  ],
  'label_replace(cpus, "to", "$1-$2", "instance", "(.*):(.*)")',
  'label_replace(cpus, "job", "", "instance", ".*")',
  'label_replace(cpus, "job", "x", "instance", "(.*")',
  'label_replace(cpus, "instance", "", "", "")',
  'label_join(cpus, "to", "-", "instance", "job")',
  'label_join(cpus, "\\xff", "-", "instance")',
  'label_replace(cpus, "\\xff", "", "instance", "(.*)")',
  'max_over_time((time() - max(last_success_timestamp_seconds) < 1000)[5m:10s] offset 5m)',
  'avg_over_time(rate(cpu_seconds_total[1m])[2m:10s])',
  ...['sum(', 'rate(memory_bytes)', 'nosuch(1)', 'memory_bytes{a=}', 'memory_bytes[5m]', '1 + "a"'],
];

interface Answer {
  readonly status: string;
  readonly errorType?: string;
  readonly data?: { readonly resultType: string; readonly result: unknown };
}

/** Series in the order of their labels, as Prometheus promises none, but for what it sorts. */
function ordered({ data }: Answer, query: string): unknown {
  if (!Array.isArray(data?.result) || query.startsWith('sort')) return data?.result;
  return data.result.toSorted((a, b) => (JSON.stringify(a.metric) < JSON.stringify(b.metric) ? -1 : 1));
}

/** Equal, numbers written as text within 1e-9 of each other. */
function alike(a: unknown, b: unknown): boolean {
  if (typeof a === 'string' && typeof b === 'string') {
    const [x, y] = [Number(a), Number(b)];
    return a === b || Math.abs(x - y) <= 1e-9 * Math.max(Math.abs(x), Math.abs(y));
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const [keys, others] = [Object.keys(a).sort(), Object.keys(b).sort()];
  return keys.join() === others.join() && keys.every((key) => alike(a[key as never], b[key as never]));
}

suite('the HTTP API and Prometheus', { skip: goMissing(), timeout: 600_000 }, () => {
  const all = series();
  let prometheus: Prometheus;
  let own: Awaited<ReturnType<typeof serve>>;
  before(async () => {
    const { prometheus: binary, promtool } = await prometheus3Binaries();
    prometheus = await startPrometheus(binary, { samples: { text: openMetrics(all), promtool } });
    own = await serve({ queryable: storeOf(all, TICKS) });
  });
  after(() => prometheus?.stop());

  /** Queries that the two answer differently. */
  async function differing(endpoint: string, parameters: Record<string, string>): Promise<string[]> {
    const found: string[] = [];
    for (const query of QUERIES) {
      const asked = { query, ...parameters };
      const here: Answer = (await own.get(endpoint, asked)).json;
      const there = (await (
        await fetch(`${prometheus.url}/api/v1/${endpoint}?${new URLSearchParams(asked)}`)
      ).json()) as Answer;
      const isAlike =
        here.status === there.status &&
        here.errorType === there.errorType &&
        here.data?.resultType === there.data?.resultType &&
        alike(ordered(here, query), ordered(there, query));
      if (!isAlike) found.push(query);
    }
    return found;
  }

  test('answer queries over a range alike', async () => {
    assert.ok(QUERIES.length > 400);
    const range = { start: String(END - 600), end: String(END), step: '10' };
    assert.deepEqual(await differing('query_range', range), []);
  });

  test('answer queries of a moment alike', async () => {
    assert.deepEqual(await differing('query', { time: String(END - 3) }), []);
  });

  test('know the same series and labels', async () => {
    for (const [endpoint, parameters] of [
      ['labels', {}],
      ['label/instance/values', {}],
      ['label/__name__/values', { 'match[]': '{instance="a:9100"}' }],
      ['series', { 'match[]': '{__name__=~"cpu.*"}' }],
    ] as const) {
      const range = { start: String(END - 600), end: String(END), ...parameters };
      const here = (await own.get(endpoint, range)).json.data as unknown[];
      const there = await prometheus.get<unknown[]>(endpoint, range);
      const sorted = (list: unknown[]) => list.map((each) => JSON.stringify(each)).sort();
      assert.deepEqual(sorted(here), sorted(there), endpoint);
      assert.ok(here.length > 1, endpoint);
    }
  });
});
