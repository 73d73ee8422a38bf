import { parseDuration } from '../model/duration.ts';
import type { ArithmeticOperator } from './ast.ts';
import type { Cursor } from './cursor.ts';
import { quote } from './errors.ts';
import { ARITHMETIC } from './operators.ts';

/** How an unexpected token is told. */
interface Place {
  readonly context: string;
  readonly expected: string;
}

/** A duration as computed so far, in seconds. */
interface Computed {
  readonly seconds: number;
  /** Whether it is one number, be it with a sign. */
  readonly literal: boolean;
}

const PRECEDENCE: Readonly<Record<string, number>> = { '+': 1, '-': 1, '*': 2, '/': 2, '%': 2, '^': 3 };
const SIGN_OPERAND = 3;
const MAX_SECONDS = 2 ** 63 / 1e9;

/** Deeper nesting would exhaust the stack. */
const MAX_DEPTH = 100;

/**
 * The duration in brackets, in ms: a duration, a number of seconds, or arithmetic of these, which is computed at once.
 * `step()` and `range()`, which only a range query could answer, are refused.
 */
export function parseBracketDuration(cursor: Cursor, context: string, expected: string): number {
  const { start } = cursor.current;
  const parser = new DurationParser(cursor, { context, expected });
  const computed = parser.expression(0);
  const ms = toMs(cursor, start, computed);
  if (ms <= 0) cursor.fail(start, 'duration must be greater than 0');
  return ms;
}

/** What follows `offset`, in ms: arithmetic only in parentheses. */
export function parseOffsetDuration(cursor: Cursor): number {
  const place = { context: 'offset', expected: 'number, duration, step(), or range()' };
  const { start } = cursor.current;
  const parser = new DurationParser(cursor, place);
  return toMs(cursor, start, parser.signed());
}

function toMs(cursor: Cursor, start: number, { seconds, literal }: Computed): number {
  if (!(Math.abs(seconds) <= MAX_SECONDS)) cursor.fail(start, 'duration out of range');
  return literal ? Math.round(seconds * 1000) : Math.trunc(seconds * 1000);
}

class DurationParser {
  readonly #cursor: Cursor;
  readonly #place: Place;
  #depth = 0;

  constructor(cursor: Cursor, place: Place) {
    this.#cursor = cursor;
    this.#place = place;
  }

  expression(loosest: number): Computed {
    if (++this.#depth > MAX_DEPTH)
      this.#cursor.fail(this.#cursor.current.start, 'expression is nested too deeply');
    let left = this.#operand();
    for (;;) {
      const { kind, text, start } = this.#cursor.current;
      const precedence = kind === 'operator' ? (PRECEDENCE[text] ?? -1) : -1;
      if (precedence < loosest || precedence < 0) break;
      this.#cursor.takeOperator();
      const right = this.expression(text === '^' ? precedence : precedence + 1);
      if (right.seconds === 0 && text === '/') this.#cursor.fail(start, 'division by zero');
      if (right.seconds === 0 && text === '%') this.#cursor.fail(start, 'modulo by zero');
      const seconds = ARITHMETIC[text as ArithmeticOperator](left.seconds, right.seconds);
      left = { seconds, literal: false };
    }
    this.#depth--;
    return left;
  }

  signed(): Computed {
    const sign = this.#sign();
    const { seconds, literal } = this.#primary();
    return { seconds: sign * seconds, literal };
  }

  #operand(): Computed {
    const { kind, text } = this.#cursor.current;
    if (kind !== 'operator' || (text !== '+' && text !== '-')) return this.#primary();
    const sign = this.#sign();
    const { seconds, literal } = this.expression(SIGN_OPERAND);
    return { seconds: sign * seconds, literal };
  }

  #sign(): 1 | -1 {
    const { kind, text } = this.#cursor.current;
    if (kind !== 'operator' || (text !== '+' && text !== '-')) return 1;
    this.#cursor.takeOperator();
    return text === '-' ? -1 : 1;
  }

  #primary(): Computed {
    const cursor = this.#cursor;
    const word = cursor.word();
    if (word === 'min_of' || word === 'max_of') return this.#extreme(word);
    if (word === 'step' || word === 'range') this.#ofRangeQuery(word);
    if (!cursor.skip('(')) return { seconds: this.#literal(), literal: true };
    const { seconds } = this.expression(0);
    this.#expect(')');
    return { seconds, literal: false };
  }

  #ofRangeQuery(word: string): never {
    const { start } = this.#cursor.take();
    this.#expect('(');
    this.#expect(')');
    return this.#cursor.fail(start, `${word}() is not supported: it has no value outside of range queries`);
  }

  #extreme(word: 'min_of' | 'max_of'): Computed {
    this.#cursor.take();
    this.#expect('(');
    const a = this.expression(0).seconds;
    this.#expect(',');
    const b = this.expression(0).seconds;
    this.#expect(')');
    return { seconds: word === 'min_of' ? Math.min(a, b) : Math.max(a, b), literal: false };
  }

  #literal(): number {
    const cursor = this.#cursor;
    const { kind, text, start } = cursor.current;
    if (kind !== 'number' && kind !== 'duration') this.#unexpected();
    cursor.take();
    if (kind === 'number') return parseNumber(cursor, text, start);
    const ms = parseDuration(text) ?? cursor.fail(start, `not a valid duration string: ${quote(text)}`);
    return ms / 1000;
  }

  #expect(text: string): void {
    if (!this.#cursor.skip(text)) this.#unexpected();
  }

  #unexpected(): never {
    return this.#cursor.unexpected(this.#place.context, this.#place.expected);
  }
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
