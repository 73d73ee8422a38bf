import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { TaskwardenError } from '../../src/model/errors.ts';
import { compile } from '../../src/promql/promql.ts';

/** What promtool says of expressions with a mistake, positions included; promtool.test.ts asks it again. */
const { errors } = JSON.parse(readFileSync(join(import.meta.dirname, 'errors.json'), 'utf8')) as {
  errors: Record<string, string>;
};

test('mistakes are told in the words of promtool, at its line and column', () => {
  assert.ok(Object.keys(errors).length >= 200);
  for (const [expr, message] of Object.entries(errors)) {
    assert.throws(
      () => compile(expr),
      (error) => {
        assert.ok(error instanceof TaskwardenError, String(error));
        assert.equal(error.message, message, expr);
        assert.equal(error.code, 'TASKWARDEN_PROMQL');
        const [line, column] = message.split(':');
        assert.deepEqual(error.position, { line: Number(line), column: Number(column) });
        return true;
      },
    );
  }
});

test('an empty text is refused', () => {
  for (const text of ['', '  ', '# only a comment']) {
    assert.throws(() => compile(text), { message: '1:1: parse error: no expression found in input' });
  }
});

test('depth, operators and length have limits instead of exhausting the stack', () => {
  const deep = (levels: number): string => `${'('.repeat(levels)}1${')'.repeat(levels)}`;
  assert.equal(compile(deep(150)).type, 'scalar');
  assert.throws(() => compile(deep(10_000)), /nested too deeply/);
  assert.throws(() => compile(`${'abs('.repeat(10_000)}a${')'.repeat(10_000)}`), /nested too deeply/);
  assert.throws(() => compile(`a${' ^ a'.repeat(10_000)}`), /nested too deeply/);
  assert.throws(() => compile(`${'-'.repeat(5000)}1`), /nested too deeply/);
  assert.equal(compile(`1${'+1'.repeat(900)}`).type, 'scalar');
  assert.throws(() => compile(`1${'+1'.repeat(50_000)}`), /more than 1000 operators/);
  assert.throws(() => compile(`a${'[1m:]'.repeat(50_000)}`), /more than 1000 operators/);
  assert.throws(() => compile(`a${'[1m:]'.repeat(900)}`), /subquery is only allowed on instant vector/);
  assert.throws(
    () => compile(`"${'x'.repeat(2 ** 20)}"`),
    /1:1: parse error: expression is longer than 1048576/,
  );
});

const TYPES: readonly (readonly [expr: string, type: string])[] = [
  ['1 + 2', 'scalar'],
  ['scalar(a) > bool 1', 'scalar'],
  ['a', 'vector'],
  ['sum by (x,) (a)', 'vector'],
  ['SUM BY (x) (a)', 'vector'],
  ['sum', 'vector'],
  ['a{b="c",}', 'vector'],
  ['{"my.metric", "my.label"="x"}', 'vector'],
  ['offset', 'vector'],
  ['foo:bar:baz', 'vector'],
  ['a # comment\n + b', 'vector'],
  ['1 > bool a', 'vector'],
  ['rate(a[5m])[10m:1m] @ 5 offset -3m', 'matrix'],
  ['a[90]', 'matrix'],
  ['"text"', 'string'],
  ['((time()))', 'scalar'],
  ['-+-1', 'scalar'],
  ['Inf + nan', 'scalar'],
];

for (const [expr, type] of TYPES)
  test(`type: ${expr} is a ${type}`, () => assert.equal(compile(expr).type, type));

/** The shape of the tree, every operator with its parentheses. */
function shape(expr: string): string {
  const show = (node: ReturnType<typeof compile>['node']): string => {
    switch (node.kind) {
      case 'binary':
        return `(${show(node.left)} ${node.op} ${show(node.right)})`;
      case 'unary':
        return `(${node.op}${show(node.expr)})`;
      case 'selector':
        return node.shift.offset === 0 ? `${node.name}` : `${node.name}~${node.shift.offset / 1000}`;
      default:
        return expr.slice(node.start, node.end);
    }
  };
  return show(compile(expr).node);
}

const SHAPES: readonly (readonly [expr: string, shape: string])[] = [
  ['a - b offset 1m', '(a - b~60)'],
  ['a offset 1m - b', '(a~60 - b)'],
  ['a or b offset 5s * c', '(a or (b~5 * c))'],
  ['a - b - c', '((a - b) - c)'],
  ['a ^ b ^ c', '(a ^ (b ^ c))'],
  ['-a ^ b', '(-(a ^ b))'],
  ['-a * b', '((-a) * b)'],
  ['a + b * c ^ d', '(a + (b * (c ^ d)))'],
  ['a or b and c unless d', '(a or ((b and c) unless d))'],
  ['a == b + c > d', '((a == (b + c)) > d)'],
  ['a atan2 b + c', '((a atan2 b) + c)'],
  ['a ^ -b', '(a ^ (-b))'],
];

for (const [expr, expected] of SHAPES) test(`shape: ${expr}`, () => assert.equal(shape(expr), expected));

test('functions of native histograms are refused as such', () => {
  assert.throws(() => compile('histogram_count(a)'), {
    message: '1:1: parse error: function "histogram_count" reads native histograms, which are not supported',
  });
});

test('durations may be computed; what only a range query could tell is refused', () => {
  const range = (duration: string): unknown => {
    const { node } = compile(`a[${duration}]`);
    return node.kind === 'matrix' ? node.range : undefined;
  };
  assert.equal(range('1m + 2 * 30s'), 120_000);
  assert.equal(range('-(-1m)'), 60_000);
  assert.equal(range('2 ^ 3 ^ 0'), 2000);
  assert.equal(range('min_of(5m, max_of(10s, 1m)) % 50'), 10_000);
  const { node } = compile('a offset -(1m - 15s)');
  assert.equal(node.kind === 'selector' && node.shift.offset, -45_000);
  assert.throws(() => compile('a[step()]'), /1:3: parse error: step\(\) is not supported/);
  assert.throws(() => compile('a[1m - 1m]'), /1:3: parse error: duration must be greater than 0/);
  assert.throws(() => compile(`a[${'('.repeat(5000)}1m`), /nested too deeply/);
});

test('selectors and metric names are told, for lints', () => {
  const expression = compile(
    'sum(rate(a_total{q="x"}[5m])) / on () group_left b and {__name__="a_total"} or max_over_time(c[1h:]) or {__name__=~"d.*"}',
  );
  assert.deepEqual(expression.metricNames(), ['a_total', 'b', 'c']);
  const first = expression.selectors()[0]?.map(({ name, type, value }) => `${name}${type}${value}`);
  assert.deepEqual(first, ['q=x', '__name__=a_total']);
  assert.equal(expression.selectors().length, 5);
});

test('strings: escapes as in Go, none between backticks', () => {
  const value = (text: string): string => {
    const { node } = compile(text);
    return node.kind === 'string' ? node.value : assert.fail('no string');
  };
  assert.equal(value('"a\\n\\t\\"\\\\"'), 'a\n\t"\\');
  assert.equal(value('"\\x41\\u00e9\\U0001F600\\101"'), 'Aé😀A');
  assert.equal(value('"\\xe2\\x82\\xac"'), '€');
  assert.equal(value("'it\\'s'"), "it's");
  assert.equal(value('`raw\\n"`'), 'raw\\n"');
});

test('numbers: decimal, hexadecimal, octal, exponent, underscores, durations', () => {
  const value = (text: string): number => {
    const { node } = compile(text);
    return node.kind === 'number' ? node.value : assert.fail('no number');
  };
  const numbers = {
    '1_000': 1000,
    '0x1F': 31,
    '017': 15,
    '.5': 0.5,
    '2.': 2,
    '1e-3': 0.001,
    '1h30m': 5400,
    '1ms': 0.001,
  };
  for (const [text, number] of Object.entries(numbers)) assert.equal(value(text), number, text);
});
