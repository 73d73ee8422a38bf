import { parseDuration } from '../model/duration.ts';
import type { Matcher, MatchType } from '../model/queryable.ts';
import type { MatrixNode, Node, SelectorNode, SubqueryNode, TimeShift } from './ast.ts';
import type { Cursor } from './cursor.ts';
import { quote } from './errors.ts';
import { formatFloat } from './format.ts';
import { parseBracketDuration, parseNumber, parseOffsetDuration } from './parse-duration.ts';
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
    if (quoted) return createMatcher('__name__', '=', unquote(label.text));
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
  const range = parseBracketDuration(
    cursor,
    'subquery or range selector',
    'number, duration, step(), or range()',
  );
  if (cursor.isPunctuation(']')) return rangeOf(cursor, expr, range, bracket);
  cursor.expect(':', 'subquery or range', '":" or "]"');
  const step = cursor.isPunctuation(']')
    ? undefined
    : parseBracketDuration(cursor, 'subquery selector', 'number, duration, step(), range(), or "]"');
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

function sign(cursor: Cursor): 1 | -1 {
  const { kind, text } = cursor.current;
  if (kind !== 'operator' || (text !== '+' && text !== '-')) return 1;
  cursor.take();
  return text === '-' ? -1 : 1;
}

function parseOffset(cursor: Cursor, node: Node): Node {
  cursor.take();
  const offset = parseOffsetDuration(cursor);
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
  if (typeof at === 'number' && !(Math.abs(at / 1000) < 2 ** 63)) {
    const seconds = `${formatFloat(at / 1000)}${Number.isFinite(at) ? '.000000' : ''}`;
    cursor.fail(node.start, `timestamp out of bounds for @ modifier: ${seconds}`);
  }
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
  const { kind, text, start } = cursor.current;
  if (kind !== 'number' && kind !== 'duration') cursor.unexpected('@', 'timestamp');
  cursor.take();
  if (kind === 'number') return Math.round(direction * parseNumber(cursor, text, start) * 1000);
  const ms = parseDuration(text) ?? cursor.fail(start, `not a valid duration string: ${quote(text)}`);
  return direction * ms;
}

function shiftOf(node: Node): TimeShift | undefined {
  if (node.kind === 'matrix') return node.selector.shift;
  return node.kind === 'selector' || node.kind === 'subquery' ? node.shift : undefined;
}

function withShift(node: Node, shift: TimeShift, end: number): Node {
  if (node.kind === 'matrix') return { ...node, selector: { ...node.selector, shift }, end };
  return node.kind === 'selector' || node.kind === 'subquery' ? { ...node, shift, end } : node;
}
