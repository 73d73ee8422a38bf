import { parseError, quote } from './errors.ts';
import { readEscape } from './strings.ts';

export type TokenKind =
  | 'number'
  | 'duration'
  | 'string'
  /** A word without a colon: a name, or a keyword where the grammar expects one. */
  | 'identifier'
  /** A word with a colon. */
  | 'metric identifier'
  | 'operator'
  /** `( ) { } [ ] , : @` */
  | 'punctuation'
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** As written, quotes of a string included. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const SPACE = /(?:[ \t\r\n]|#[^\r\n]*)*/y;
const WORD = /[A-Za-z_:][A-Za-z0-9_:]*/y;
const LABEL = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMERAL = /0[xX][0-9a-fA-F_]+|(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?[\d_]+)?(?![A-Za-z0-9])/y;
const DURATION = /(?:\d+(?:ms|[smhdwy]))+(?![A-Za-z0-9])/y;
const OPERATOR = /==|!=|=~|!~|<=|>=|[-+*/%^<>=]/y;

/** Turns the text of an expression into tokens, one at a time, so that the first error is the leftmost. */
export class Lexer {
  readonly text: string;
  #at = 0;
  #parens = 0;
  #braces = false;
  #brackets = false;
  #colon = false;

  constructor(text: string) {
    this.text = text;
  }

  /** @throws TaskwardenError TASKWARDEN_PROMQL */
  next(): Token {
    this.#at += this.#match(SPACE)?.length ?? 0;
    const start = this.#at;
    const char = this.text[start];
    if (char === undefined) return this.#end();
    if (char === '"' || char === "'" || char === '`') return this.#string(char);
    const word = this.#match(this.#braces || this.#brackets ? LABEL : WORD);
    if (word !== undefined) return this.#token(word.includes(':') ? 'metric identifier' : 'identifier', word);
    if (!this.#braces && /[0-9.]/.test(char)) return this.#number();
    const operator = this.#match(OPERATOR);
    if (operator !== undefined) return this.#token('operator', operator);
    return this.#punctuation(char);
  }

  fail(offset: number, message: string): never {
    throw parseError(this.text, offset, message);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.text)?.[0];
  }

  #token(kind: TokenKind, text: string): Token {
    const start = this.#at;
    this.#at += text.length;
    return { kind, text, start, end: this.#at };
  }

  #end(): Token {
    if (this.#braces) this.fail(this.#at, 'unexpected end of input inside braces');
    if (this.#brackets) this.fail(this.#at, 'unclosed left bracket');
    if (this.#parens > 0) this.fail(this.#at, 'unclosed left parenthesis');
    return this.#token('end', '');
  }

  #string(mark: string): Token {
    let at = this.#at + 1;
    for (; ; at++) {
      const char = this.text[at];
      if (char === mark) return this.#token('string', this.text.slice(this.#at, at + 1));
      if (mark === '`') {
        if (char === undefined) this.fail(this.#at, 'unterminated raw string');
      } else if (char === undefined || char === '\n') {
        this.fail(this.#at, 'unterminated quoted string');
      } else if (char === '\\') {
        const sequence = readEscape(this.text, at);
        if (sequence === undefined || (this.text[at + 1] === "'" && mark === '"')) {
          this.fail(this.#at, badEscape(this.text.codePointAt(at + 1)));
        }
        at += sequence.length - 1;
      }
    }
  }

  #number(): Token {
    const duration = this.#match(DURATION);
    if (duration !== undefined) return this.#token('duration', duration);
    const numeral = this.#match(NUMERAL);
    if (numeral !== undefined && /^(?!.*(?:__|_$))[^_]/.test(numeral)) return this.#token('number', numeral);
    const bad = /[0-9A-Za-z_.]*/y;
    return this.fail(this.#at, `bad number or duration syntax: ${quote(this.#match(bad) ?? '')}`);
  }

  #punctuation(char: string): Token {
    if (this.#braces) this.#insideBraces(char);
    else if (this.#brackets) this.#insideBrackets(char);
    else this.#outside(char);
    return this.#token('punctuation', char);
  }

  #insideBraces(char: string): void {
    if (char === '}') this.#braces = false;
    else if (char === '{') this.fail(this.#at, "unexpected left brace '{'");
    else if (char === '!') this.#loneMark(' inside braces');
    else if (char !== ',') this.fail(this.#at, `unexpected character inside braces: '${char}'`);
  }

  #insideBrackets(char: string): void {
    if (char === ']') this.#brackets = false;
    else if (char === '[') this.fail(this.#at, "unexpected left bracket '['");
    else if (char !== ':') this.fail(this.#at, `unexpected character: '${char}', expected ':'`);
    else if (this.#colon) this.fail(this.#at, "unexpected colon ':'");
    else this.#colon = true;
  }

  #outside(char: string): void {
    if (char === '(') this.#parens++;
    else if (char === ')') this.#closeParen();
    else if (char === '{') this.#braces = true;
    else if (char === '[') this.#openBracket();
    else if (char === ']') this.fail(this.#at, "unexpected right bracket ']'");
    else if (char === '!') this.#loneMark('');
    else if (char !== ',' && char !== '@') this.fail(this.#at, `unexpected character: '${char}'`);
  }

  #openBracket(): void {
    this.#brackets = true;
    this.#colon = false;
  }

  #closeParen(): void {
    if (this.#parens === 0) this.fail(this.#at, "unexpected right parenthesis ')'");
    this.#parens--;
  }

  #loneMark(where: string): never {
    const next = this.text[this.#at + 1];
    return this.fail(
      this.#at,
      `unexpected character after '!'${where}: ${next === undefined ? 'end of input' : `'${next}'`}`,
    );
  }
}

function badEscape(code: number | undefined): string {
  if (code === undefined) return 'escape sequence not terminated';
  const hex = code.toString(16).toUpperCase().padStart(4, '0');
  return `unknown escape sequence U+${hex} '${String.fromCodePoint(code)}'`;
}
