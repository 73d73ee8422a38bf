import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileRegex, createMatcher, regexTest } from '../../src/promql/regex.ts';

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

test('a pattern that backtracking engines take for ever over takes no time', () => {
  const started = process.cpuUsage();
  assert.equal(regexTest('(x+x+)+y')('x'.repeat(5000)), false);
  const { user, system } = process.cpuUsage(started);
  assert.ok(user + system < 5_000_000, `${user + system} us of CPU`);
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
