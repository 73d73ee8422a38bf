import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TaskwardenError } from '../../src/model/errors.ts';
import { compile } from '../../src/promql/promql.ts';

/** Messages are those of promtool 3.16 (`promtool promql format`), positions included. */
const ERRORS: readonly (readonly [expr: string, message: string])[] = [
  ['sum(rate(foo[5m]) > ', '1:21: parse error: unclosed left parenthesis'],
  ['1 +', '1:4: parse error: unexpected end of input'],
  ['foo bar', '1:5: parse error: unexpected identifier "bar"'],
  ['a\n+\n  b c', '3:5: parse error: unexpected identifier "c"'],
  ['1 2', '1:3: parse error: unexpected number "2"'],
  ['a,b', '1:2: parse error: unexpected ","'],
  ['a[5', '1:4: parse error: unclosed left bracket'],
  ['a{b="c"', '1:8: parse error: unexpected end of input inside braces'],
  ['a $ b', "1:3: parse error: unexpected character: '$'"],
  ["'abc", '1:1: parse error: unterminated quoted string'],
  ['a{b="\\y"}', "1:5: parse error: unknown escape sequence U+0079 'y'"],
  ['a{b=5}', "1:5: parse error: unexpected character inside braces: '5'"],
  ['a{b=c}', '1:5: parse error: unexpected identifier "c" in label matching, expected string'],
  ['a{b}', '1:4: parse error: unexpected "}" in label matching, expected label matching operator'],
  ['a{b="x" c="y"}', '1:9: parse error: unexpected identifier "c" in label matching, expected "," or "}"'],
  ['a{,}', '1:3: parse error: unexpected "," in label matching, expected identifier or "}"'],
  ['a!b', "1:2: parse error: unexpected character after '!': 'b'"],
  ['a=b', '1:2: parse error: unexpected "="'],
  ['foo{b=~"a["}', '1:5: parse error: error parsing regexp: missing closing ]: `[`'],
  ['foo{b=~"("}', '1:5: parse error: error parsing regexp: missing closing ): `(`'],
  ['foo{b=~"(?=a)"}', '1:5: parse error: error parsing regexp: invalid or unsupported Perl syntax: `(?=`'],
  ['foo{__name__="x"}', '1:1: parse error: metric name must not be set twice: "foo" or "x"'],
  ['{}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
  ['{a=~".*"}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
  ['foo[0s]', '1:5: parse error: duration must be greater than 0'],
  ['foo[1m1h]', '1:5: parse error: not a valid duration string: "1m1h"'],
  ['foo[5m][3m]', '1:8: parse error: ranges only allowed for vector selectors'],
  ['x[1m:1m:1m]', "1:8: parse error: unexpected colon ':'"],
  ['foo offset 5m offset 6m', '1:1: parse error: offset may not be set multiple times'],
  [
    'a offset',
    '1:9: parse error: unexpected end of input in offset, expected number, duration, step(), or range()',
  ],
  ['a @ foo', '1:5: parse error: unexpected identifier "foo" in @, expected timestamp'],
  [
    '(a) offset 5m',
    '1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery',
  ],
  ['sum by foo (x)', '1:8: parse error: unexpected identifier "foo" in grouping opts, expected "("'],
  ['sum by (5) (c)', '1:9: parse error: unexpected number "5" in grouping opts, expected label'],
  ['sum by(a)(foo) by(b)', '1:16: parse error: unexpected <by>'],
  ['sum(rate(foo[5m]) by (x)', '1:19: parse error: unexpected <by> in aggregation'],
  ['sum()', '1:1: parse error: no arguments for aggregate expression provided'],
  [
    'topk(a)',
    '1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1',
  ],
  ['topk(b, a)', '1:6: parse error: expected type scalar in aggregation parameter, got instant vector'],
  ['count_values(1, a)', '1:14: parse error: expected type string in aggregation parameter, got scalar'],
  ['sum(1)', '1:5: parse error: expected type instant vector in aggregation expression, got scalar'],
  ['nosuch(a)', '1:1: parse error: unknown function with name "nosuch"'],
  ['mad_over_time(a[5m])', '1:1: parse error: function "mad_over_time" is not enabled'],
  ['time(1,)', '1:7: parse error: trailing commas not allowed in function call args'],
  ['rate()', '1:1: parse error: expected 1 argument(s) in call to "rate", got 0'],
  ['round(a, 1, 2)', '1:1: parse error: expected at most 2 argument(s) in call to "round", got 3'],
  ['label_join(a, "d")', '1:1: parse error: expected at least 3 argument(s) in call to "label_join", got 2'],
  [
    'rate(foo)',
    '1:6: parse error: expected type range vector in call to function "rate", got instant vector',
  ],
  [
    'abs(foo[5m])',
    '1:5: parse error: expected type instant vector in call to function "abs", got range vector',
  ],
  ['1 == 2', '1:3: parse error: comparisons between scalars must use BOOL modifier'],
  ['a + bool b', '1:3: parse error: bool modifier can only be used on comparison operators'],
  ['a and 1', '1:1: parse error: set operator "and" not allowed in binary scalar expression'],
  ['a and on (b) group_left c', '1:1: parse error: no grouping allowed for "and" operation'],
  [
    'a + on (b) group_left (b) c',
    '1:3: parse error: label "b" must not occur in ON and GROUP clause at once',
  ],
  ['1 + on (a) b', '1:1: parse error: vector matching only allowed between instant vectors'],
  ['a[5m] + 1', '1:1: parse error: binary expression must contain only scalar and instant vector types'],
  [
    '-a[5m]',
    '1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got "range vector"',
  ],
  ['time()[5m:]', '1:1: parse error: subquery is only allowed on instant vector, got scalar instead'],
  ['on', '1:1: parse error: unexpected <on>'],
];

for (const [expr, message] of ERRORS) {
  test(`error: ${expr}`, () => {
    assert.throws(
      () => compile(expr),
      (error) => {
        assert.ok(error instanceof TaskwardenError, String(error));
        assert.equal(error.message, message);
        assert.equal(error.code, 'TASKWARDEN_PROMQL');
        const [line, column] = message.split(':');
        assert.deepEqual(error.position, { line: Number(line), column: Number(column) });
        return true;
      },
    );
  });
}

test('an empty text is refused', () => {
  for (const text of ['', '  ', '# only a comment']) {
    assert.throws(() => compile(text), { message: '1:1: parse error: no expression found in input' });
  }
});

test('nesting has a limit instead of exhausting the stack', () => {
  const deep = (levels: number): string => `${'('.repeat(levels)}1${')'.repeat(levels)}`;
  assert.equal(compile(deep(150)).type, 'scalar');
  assert.throws(() => compile(deep(5000)), /nested too deeply/);
  assert.throws(() => compile(`${'-'.repeat(5000)}1`), /nested too deeply/);
  assert.equal(compile(`1${'+1'.repeat(1500)}`).type, 'scalar');
  assert.throws(() => compile(`1${'+1'.repeat(50_000)}`), /more than 2000 operators/);
  assert.throws(() => compile(`a${'[1m:]'.repeat(50_000)}`), /more than 2000 operators/);
  assert.throws(() => compile(`a${'[1m:]'.repeat(1500)}`), /subquery is only allowed on instant vector/);
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
