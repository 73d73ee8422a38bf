import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { compile } from '../../src/promql/compile.ts';
import { parse } from '../../src/promql/parser.ts';
import { prettify, print } from '../../src/promql/print.ts';
import { promtool3Built } from '../helpers/go-programs.ts';
import { Expressions } from './fuzz/expressions.ts';
import { Random } from './fuzz/random.ts';

/** One-line texts, as printed. */
const LINES: Readonly<Record<string, string>> = {
  '--1': '1',
  '+x': '+x',
  '-(1)': '-(1)',
  '- 5m': '-5m',
  '5m + 90s + 370d': '5m + 1m30s + 370d',
  '-1 ^ 2': '-1 ^ 2',
  '1e21 + 0x1f + 1_000 + 1.5e-7': '1000000000000000000000 + 31 + 1000 + 0.00000015',
  'inf - nan': '+Inf - NaN',
  '{"foo.bar", a="b"}': '{__name__="foo.bar",a="b"}',
  '{__name__="foo",z="1",a!="x"}': '{__name__="foo",a!="x",z="1"}',
  'foo{"with.dot"="x", b=~`a\\d`, a="\\t\\x01é\\u00a0\\u200b🐉\\n"}':
    'foo{"with.dot"="x",a="\\t\\x01é\\u00a0\\u200b🐉\\n",b=~"a\\\\d"}',
  'SUM by () (x)': 'sum(x)',
  'sum without () (x)': 'sum without () (x)',
  'sum(x) by (a, "b.c")': 'sum by (a, "b.c") (x)',
  'a + ignoring() b': 'a + b',
  'a * ignoring() group_left b': 'a * ignoring () group_left () b',
  'a + on() group_right(c) b': 'a + on () group_right (c) b',
  'a == bool 1 AND b': 'a == bool 1 and b',
  'x offset 5m @ 12': 'x @ 12.000 offset 5m',
  'x @ start() offset -90s': 'x @ start() offset -1m30s',
  'rate(x[90m] @ 1.2345 offset 1w1d)': 'rate(x[1h30m] @ 1.235 offset 8d)',
  'max_over_time(sum(x)[1h:30s] offset 1d)': 'max_over_time(sum(x)[1h:30s] offset 1d)',
  'max_over_time(x[1h:] @ end())': 'max_over_time(x[1h:] @ end())',
  'rate(x[300.5])': 'rate(x[5m500ms])',
  'topk(3, x) by (job)': 'topk by (job) (3, x)',
  "'single\"quote'": '"single\\"quote"',
  'x # comment': 'x',
};

const LONG =
  'sum by (job, instance, task_name) (increase(task_network_requests_total{task_name!="import"}[1m]))';

/** Expressions that need several lines. */
const BLOCKS: Readonly<Record<string, string>> = {
  [`${LONG} > 5 and on (job) -up`]: `    ${LONG}
  >
    5
and on (job)
  -up`,
  [`-topk(2, ${LONG})`]: `-topk(
  2,
  ${LONG}
)`,
  [`(max_over_time(${LONG}[5m:1m]))`]: `(
  max_over_time(
    ${LONG}[5m:1m]
  )
)`,
  [`${LONG.replace('task_name)', 'task_name, messaging_destination_name)')}`]: `sum by (job, instance, task_name, messaging_destination_name) (
  increase(task_network_requests_total{task_name!="import"}[1m])
)`,
};

test('expressions in one line', () => {
  for (const [text, line] of Object.entries(LINES)) {
    assert.equal(print(parse(text)), line);
    assert.equal(print(parse(line)), line, 'printing is stable');
  }
});

test('expressions over several lines', () => {
  for (const [text, block] of Object.entries(BLOCKS)) assert.equal(prettify(parse(text)), block);
});

const promtool3 = promtool3Built();
const skip =
  promtool3 === undefined ? 'the promtool of Prometheus 3 is not built (npm run test:slow builds it)' : false;

test('promtool lays out the same', { skip }, () => {
  const fuzzer = new Expressions(new Random(20261125), true);
  // Many in one, since every call starts a process. Some are scalars, and arithmetic takes both.
  const join = (texts: readonly string[]) => texts.map((text) => `(${text}) * vector(1)`).join(' or ');
  const valid = Array.from({ length: 170 }, () => fuzzer.next()).filter(parses);
  const random = Array.from({ length: 10 }, (_, at) => join(valid.slice(at * 15, at * 15 + 15)));
  const table = Object.keys(LINES).filter((text) => !/^'|#/.test(text));
  for (const text of [...random, join(table), ...Object.keys(BLOCKS)]) {
    const args = ['--experimental', 'promql', 'format', '--', text];
    const { stdout, stderr } = spawnSync(promtool3!, args, { encoding: 'utf8' });
    assert.equal(`${prettify(parse(text))}\n`, stdout, stderr);
  }
});

/** `group_left (x)` begins a list of labels and no operand, here as in Prometheus. */
function parses(text: string): boolean {
  try {
    return compile(text) !== undefined;
  } catch {
    return false;
  }
}
