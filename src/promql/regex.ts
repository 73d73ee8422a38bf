import type { RE2JS } from 're2js';
import type { Matcher, MatchType } from '../model/queryable.ts';
import { re2 } from './re2.ts';
import { regexSize } from './regex-size.ts';

/**
 * Regular expressions as Prometheus means them: RE2 syntax, anchored at both ends, the dot also matches a newline.
 * @throws Error with RE2's description when the pattern is malformed.
 */
export function compileRegex(pattern: string): RE2JS {
  let regex = cache.get(pattern);
  if (regex === undefined) {
    if (regexSize(pattern) > MAX_SIZE) throw new Error('error parsing regexp: expression too large');
    try {
      regex = re2().compile(pattern, re2().DOTALL);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      // RE2JS shows a flag as a group of the pattern.
      throw new Error(message.replace('`(?s)', '`'), { cause: error });
    }
    if (cache.size >= CACHE_LIMIT) cache.clear();
    cache.set(pattern, regex);
  }
  return regex;
}

/** Each instruction takes a kilobyte or two once compiled, and is visited for every character of a text. */
const MAX_SIZE = 10_000;

const CACHE_LIMIT = 1000;
const cache = new Map<string, RE2JS>();

/** Whether a text matches a pattern; the many patterns that are mere alternatives of words need no engine. */
export function regexTest(pattern: string): (text: string) => boolean {
  if (pattern === '.*') return () => true;
  if (pattern === '.+') return (text) => text !== '';
  if (/^[\w :,/-]*(?:\|[\w :,/-]*)*$/.test(pattern)) {
    const words = new Set(pattern.split('|'));
    return (text) => words.has(text);
  }
  const regex = compileRegex(pattern);
  return (text) => regex.matches(text);
}

/** @throws Error when the value is a malformed regular expression. */
export function createMatcher(name: string, type: MatchType, value: string): Matcher {
  return { name, type, value, matches: test(type, value) };
}

function test(type: MatchType, value: string): (text: string) => boolean {
  switch (type) {
    case '=':
      return (text) => text === value;
    case '!=':
      return (text) => text !== value;
    case '=~':
      return regexTest(value);
    case '!~': {
      const matches = regexTest(value);
      return (text) => !matches(text);
    }
  }
}
