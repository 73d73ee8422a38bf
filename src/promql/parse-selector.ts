import type { Matcher, MatchType } from '../model/queryable.ts';
import type { MatrixNode, Node, SelectorNode, SubqueryNode, TimeShift } from './ast.ts';
import type { Cursor } from './cursor.ts';
import { parseDuration } from './duration.ts';
import { quote } from './errors.ts';
import { createMatcher } from './regex.ts';
import { unquote } from './strings.ts';

const NO_SHIFT: TimeShift = { offset: 0, at: undefined };
const MATCH_TYPES: ReadonlySet<string> = new Set<MatchType>(['=', '!=', '=~', '!~']);

/** `name{matchers}`, where `name` was taken already and starts at `start`, or `{matchers}`. */
export function parseSelector(cursor: Cursor, name: string | undefined, start: number): SelectorNode {
  const matchers = cursor.isPunctuation('{') ? parseMatchers(cursor) : [];
  if (name !== undefined) matchers.push(createMatcher('__name__', '=', name));
  return { kind: 'selector', name, matchers, shift: NO_SHIFT, start, end: cursor.lastEnd };
}

function parseMatchers(cursor: Cursor): Matcher[] {
  cursor.take();
  const matchers: Matcher[] = [];
  while (!cursor.skip('}')) {
    if (cursor.current.kind !== 'identifier' && cursor.current.kind !== 'string') {
      cursor.unexpected('label matching', 'identifier or "}"');
    }
    matchers.push(parseMatcher(cursor));
    if (!cursor.isPunctuation('}') && !cursor.skip(',')) cursor.unexpected('label matching', '"," or "}"');
  }
  return matchers;
}

function parseMatcher(cursor: Cursor): Matcher {
  const label = cursor.take();
  const quoted = label.kind === 'string';
  const { kind, text: type } = cursor.current;
  if (kind !== 'operator' || !MATCH_TYPES.has(type)) {
    // A quoted string alone is the metric name.
    if (quoted && (cursor.isPunctuation(',') || cursor.isPunctuation('}'))) {
      return createMatcher('__name__', '=', unquote(label.text));
    }
    cursor.unexpected('label matching', 'label matching operator');
  }
  cursor.take();
  if (cursor.current.kind !== 'string') cursor.unexpected('label matching', 'string');
  const value = unquote(cursor.take().text);
  try {
    return createMatcher(quoted ? unquote(label.text) : label.text, type as MatchType, value);
  } catch (error) {
    return cursor.fail(label.start, error instanceof Error ? error.message : String(error));
  }
}

/** What may follow an operand and belongs to it alone: a range, a subquery, `offset`, `@`. */
export function parsePostfix(cursor: Cursor, operand: Node): Node {
  let node = operand;
  for (;;) {
    if (cursor.isPunctuation('[')) node = parseRange(cursor, node);
    else if (cursor.isPunctuation('@')) node = parseAt(cursor, node);
    else if (cursor.word() === 'offset') node = parseOffset(cursor, node);
    else return node;
  }
}

function parseRange(cursor: Cursor, expr: Node): MatrixNode | SubqueryNode {
  const bracket = cursor.takeOperator().start;
  const range = parsePositiveDuration(
    cursor,
    'subquery or range selector',
    'number, duration, step(), or range()',
  );
  if (cursor.isPunctuation(']')) return rangeOf(cursor, expr, range, bracket);
  cursor.expect(':', 'subquery or range', '":" or "]"');
  const step = cursor.isPunctuation(']')
    ? undefined
    : parsePositiveDuration(cursor, 'subquery selector', 'number, duration, step(), range(), or "]"');
  cursor.expect(']', 'subquery selector');
  const { start } = expr;
  return { kind: 'subquery', expr, range, step, shift: NO_SHIFT, start, end: cursor.lastEnd };
}

function rangeOf(cursor: Cursor, expr: Node, range: number, bracket: number): MatrixNode {
  if (expr.kind !== 'selector') cursor.fail(bracket, 'ranges only allowed for vector selectors');
  if (expr.shift.offset !== 0) cursor.fail(bracket, 'no offset modifiers allowed before range');
  if (expr.shift.at !== undefined) cursor.fail(bracket, 'no @ modifiers allowed before range');
  cursor.take();
  return { kind: 'matrix', selector: expr, range, start: expr.start, end: cursor.lastEnd };
}

function parsePositiveDuration(cursor: Cursor, context: string, expected: string): number {
  const { start } = cursor.current;
  const negative = sign(cursor) < 0;
  const ms = parseMs(cursor, context, expected);
  if (negative || ms <= 0) cursor.fail(start, 'duration must be greater than 0');
  return ms;
}

/** A duration, or a number of seconds, in ms. */
function parseMs(cursor: Cursor, context: string, expected: string): number {
  const { kind, text, start } = cursor.current;
  if (kind !== 'number' && kind !== 'duration') cursor.unexpected(context, expected);
  const ms = kind === 'duration' ? parseDuration(text) : Math.round(parseNumber(cursor, text, start) * 1000);
  if (ms === undefined) cursor.fail(start, `not a valid duration string: ${quote(text)}`);
  if (!Number.isSafeInteger(ms)) cursor.fail(start, 'duration out of range');
  cursor.take();
  return ms;
}

/** The value of a numeral as Go reads it: a leading 0 before octal digits means octal. */
export function parseNumber(cursor: Cursor, text: string, start: number): number {
  const word = text.toLowerCase();
  if (word === 'inf' || word === 'nan') return word === 'inf' ? Number.POSITIVE_INFINITY : Number.NaN;
  const digits = word.replaceAll('_', '');
  const value = /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
  const hexadecimal = digits.startsWith('0x');
  if (!/\d/.test(digits) || Number.isNaN(value) || (hexadecimal && value >= 2 ** 63)) {
    cursor.fail(start, `error parsing number: strconv.ParseFloat: parsing ${quote(text)}: invalid syntax`);
  }
  if (value === Number.POSITIVE_INFINITY) {
    cursor.fail(
      start,
      `error parsing number: strconv.ParseFloat: parsing ${quote(text)}: value out of range`,
    );
  }
  return value;
}

function sign(cursor: Cursor): 1 | -1 {
  const { kind, text } = cursor.current;
  if (kind !== 'operator' || (text !== '+' && text !== '-')) return 1;
  cursor.take();
  return text === '-' ? -1 : 1;
}

function parseOffset(cursor: Cursor, node: Node): Node {
  cursor.take();
  const direction = sign(cursor);
  const offset = direction * parseMs(cursor, 'offset', 'number, duration, step(), or range()');
  const shift = shiftOf(node);
  if (shift === undefined) {
    return cursor.fail(
      node.start,
      'offset modifier must be preceded by an instant vector selector or range vector selector or a subquery',
    );
  }
  if (shift.offset !== 0) cursor.fail(node.start, 'offset may not be set multiple times');
  return withShift(node, { ...shift, offset }, cursor.lastEnd);
}

function parseAt(cursor: Cursor, node: Node): Node {
  cursor.take();
  const at = parseAtTime(cursor);
  const shift = shiftOf(node);
  if (shift === undefined) {
    return cursor.fail(
      node.start,
      '@ modifier must be preceded by an instant vector selector or range vector selector or a subquery',
    );
  }
  if (shift.at !== undefined) cursor.fail(node.start, '@ <timestamp> may not be set multiple times');
  return withShift(node, { ...shift, at }, cursor.lastEnd);
}

function parseAtTime(cursor: Cursor): number | 'start' | 'end' {
  const word = cursor.word();
  if (word === 'start' || word === 'end') {
    cursor.take();
    cursor.expect('(', '@', 'timestamp');
    cursor.expect(')', '@', 'timestamp');
    return word;
  }
  const direction = sign(cursor);
  return direction * parseMs(cursor, '@', 'timestamp');
}

function shiftOf(node: Node): TimeShift | undefined {
  if (node.kind === 'matrix') return node.selector.shift;
  return node.kind === 'selector' || node.kind === 'subquery' ? node.shift : undefined;
}

function withShift(node: Node, shift: TimeShift, end: number): Node {
  if (node.kind === 'matrix') return { ...node, selector: { ...node.selector, shift }, end };
  return node.kind === 'selector' || node.kind === 'subquery' ? { ...node, shift, end } : node;
}
