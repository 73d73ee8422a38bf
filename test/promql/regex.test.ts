import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileRegex, createMatcher, regexTest } from '../../src/promql/regex.ts';
import { regexSize } from '../../src/promql/regex-size.ts';

const TEXTS = [
  '',
  'a',
  'b',
  'ab',
  'a|b',
  'a b',
  'a-b',
  'a.b',
  'axb',
  'A',
  'a\nb',
  'mail',
  'x'.repeat(50),
  'é',
  '😀',
];

const PATTERNS = [
  '',
  'a',
  'a|b',
  'a|',
  '|',
  'a b|mail',
  'a-b',
  '.*',
  '.+',
  'a.b',
  'a.*',
  '(?i)a',
  '[^a]',
  '\\w+',
  'a|b.*',
  '.',
  'x{50}',
];

test('patterns that need no engine match what the engine matches', () => {
  for (const pattern of PATTERNS) {
    const matches = regexTest(pattern);
    const engine = compileRegex(pattern);
    for (const text of TEXTS)
      assert.equal(matches(text), engine.matches(text), `/${pattern}/ on ${JSON.stringify(text)}`);
  }
});

test('anchored at both ends, also around alternatives; the dot matches a newline and a whole character', () => {
  const matches = (pattern: string): string[] => TEXTS.filter(regexTest(pattern));
  assert.deepEqual(matches('a|b'), ['a', 'b']);
  assert.deepEqual(matches('a.b'), ['a|b', 'a b', 'a-b', 'a.b', 'axb', 'a\nb']);
  assert.deepEqual(matches('.'), ['a', 'b', 'A', 'é', '😀']);
});

test('patterns that backtracking engines take for ever over take no time', () => {
  const text = 'x'.repeat(20_000);
  const started = process.cpuUsage();
  for (const pattern of [
    '(x+)+$',
    '(x+x+)+y',
    '(x|xx)+y',
    '(x*)*y',
    '(.*)(.*)(.*)(.*)y',
    '(x?){30}y',
    '.{1000}y',
  ]) {
    assert.equal(regexTest(pattern)(`${text}z`), false, pattern);
  }
  const { user, system } = process.cpuUsage(started);
  assert.ok(user + system < 5_000_000, `${user + system} us of CPU`);
});

test('patterns that would take much memory are refused', () => {
  const large = [
    '(a{0,1000}b)?'.repeat(20),
    '(ab){1000}'.repeat(6),
    'a'.repeat(20_000),
    '((a{100}){100}){10}',
    '('.repeat(10_000),
  ];
  for (const pattern of large) {
    assert.throws(() => regexTest(`${pattern}.`), { message: 'error parsing regexp: expression too large' });
  }
  assert.throws(() => regexTest('((a{10}){50}){3}'), /invalid repeat count/);
});

test('the size of a pattern', () => {
  const sizes = {
    '': 0,
    a: 1,
    'a|b': 3,
    '(ab){3}': 12,
    'a{2,5}': 5,
    '[a-z\\]]{10}': 10,
    '[]a]': 1,
    '\\pL\\p{Greek}': 2,
  };
  for (const [pattern, size] of Object.entries(sizes)) assert.equal(regexSize(pattern), size, pattern);
  assert.equal(regexSize('(?P<n>a.c){2}'), 10);
  assert.equal(regexSize('a{,5}'), 5);
  assert.ok(regexSize('\\Qa{9}\\E') >= 4);
});

test('syntax of RE2: what it has, and what it has not', () => {
  const matching = [
    ['x((?i)PRO)y', 'xpRoy'],
    ['(?P<n>a)(?<m>b)', 'ab'],
    ['(?U)a+', 'aa'],
    ['\\pL+', 'éa'],
    ['[[:alpha:]]+', 'abc'],
    ['\\Qa.b\\E', 'a.b'],
    ['(?m)a$\nb', 'a\nb'],
    ['(?-s)a.b', 'axb'],
  ] as const;
  for (const [pattern, text] of matching) assert.equal(regexTest(pattern)(text), true, pattern);
  assert.equal(regexTest('(?-s)a.b')('a\nb'), false);
  for (const pattern of [
    'a(?!b)',
    'a(?=b)',
    '(a)\\1',
    'a**',
    'a*+',
    '\\C',
    'a{2,1}',
    'a{1001}',
    '(?P<n>',
    '[b-a]',
  ]) {
    assert.throws(() => regexTest(pattern), /^Error: error parsing regexp: /, pattern);
  }
});

test('matchers: the four types, on a missing label too', () => {
  const results = (['=', '!=', '=~', '!~'] as const).map((type) =>
    ['', 'a', 'ab'].map((text) => createMatcher('x', type, 'a').matches(text)),
  );
  assert.deepEqual(results, [
    [false, true, false],
    [true, false, true],
    [false, true, false],
    [true, false, true],
  ]);
  assert.throws(() => createMatcher('x', '=~', 'a['), {
    message: 'error parsing regexp: missing closing ]: `[`',
  });
});
