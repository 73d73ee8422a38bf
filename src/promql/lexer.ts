import { parseError, quote } from './errors.ts';
import { DURATION_WORDS, FILLS, KEYWORDS } from './keywords.ts';
import { scanNumber } from './scan-number.ts';
import { readEscape } from './strings.ts';

export type TokenKind =
  | 'number'
  | 'duration'
  | 'string'
  /** A word without a colon that is no keyword where it stands. */
  | 'identifier'
  /** A word with a colon. */
  | 'metric identifier'
  | 'keyword'
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
const BLANK = /[ \t\r\n]*/y;
const WORD = /[A-Za-z_:][A-Za-z0-9_:]*/y;
const LABEL = /[A-Za-z_][A-Za-z0-9_]*/y;
const LETTERS = /[A-Za-z_]+/y;
const MATCH = /=~|!~|!=|=/y;
const OPERATOR = /==|!=|<=|>=|<\/|>\/|[-+*/%^<>=]/y;
const DURATION_OPERATOR = /[-+*/%^]/y;

/**
 * Turns the text of an expression into tokens, one at a time, so that the first error is the leftmost (source: Prometheus,
 * promql/parser/lex.go, whose states these are: within braces, in brackets before the first number and after it).
 */
export class Lexer {
  readonly text: string;
  #at = 0;
  #parens = 0;
  #braces = false;
  #brackets: 'closed' | 'duration' | 'open' = 'closed';
  #colon = false;
  /** Whether the brackets have a number or what stands for one. */
  #number = false;

  constructor(text: string) {
    this.text = text;
  }

  /** @throws TaskwardenError TASKWARDEN_PROMQL */
  next(): Token {
    const inDuration = this.#brackets === 'duration';
    this.#at += this.#match(inDuration ? BLANK : SPACE)?.length ?? 0;
    const char = String.fromCodePoint(this.text.codePointAt(this.#at) ?? 0);
    if (inDuration) return this.#duration(char);
    if (this.#at === this.text.length) return this.#end();
    if (char === '"' || char === "'" || char === '`') return this.#string(char);
    return this.#braces ? this.#insideBraces(char) : this.#statement(char);
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
    if (this.#parens > 0) this.fail(this.#at, 'unclosed left parenthesis');
    if (this.#brackets !== 'closed') this.fail(this.#at, 'unclosed left bracket');
    return this.#token('end', '');
  }

  #statement(char: string): Token {
    if (this.#isNumber(char)) return this.#numeral();
    if (/[A-Za-z_:]/.test(char)) return this.#brackets === 'open' ? this.#inBrackets(char) : this.#word();
    const operator = this.#match(OPERATOR);
    const next = this.text[this.#at + 1] ?? '\uFFFD';
    if (operator === '=' && next === '~') {
      this.fail(this.#at, `unexpected character after '=': ${quoteRune(next)}`);
    }
    if (operator !== undefined) return this.#token('operator', operator);
    if (char === '!') this.fail(this.#at, `unexpected character after '!': ${quoteRune(next)}`);
    return this.#punctuation(char);
  }

  #punctuation(char: string): Token {
    if (char === '(') this.#parens++;
    else if (char === ')') this.#closeParen();
    else if (char === '{') this.#braces = true;
    else if (char === '[') this.#openBracket();
    else if (char === ']') this.#closeBracket();
    else if (char !== ',' && char !== '@') this.fail(this.#at, `unexpected character: ${quoteRune(char)}`);
    return this.#token('punctuation', char);
  }

  #word(): Token {
    const word = this.#match(WORD)!;
    const lower = word.toLowerCase();
    if (lower === 'inf' || lower === 'nan') return this.#token('number', word);
    if (
      KEYWORDS.has(lower) &&
      !(FILLS.has(lower) && !/^[ \t\r\n]*\(/.test(this.text.slice(this.#at + word.length)))
    ) {
      return this.#token('keyword', word);
    }
    return this.#token(word.includes(':') ? 'metric identifier' : 'identifier', word);
  }

  #insideBraces(char: string): Token {
    const label = this.#match(LABEL);
    if (label !== undefined) return this.#token('identifier', label);
    const operator = this.#match(MATCH);
    if (operator !== undefined) return this.#token('operator', operator);
    if (char === '}') this.#braces = false;
    else if (char === '{') this.fail(this.#at, "unexpected left brace '{'");
    else if (char === '!') {
      const next = this.text[this.#at + 1] ?? '\uFFFD';
      this.fail(this.#at, `unexpected character after '!' inside braces: ${quoteRune(next)}`);
    } else if (char !== ',') {
      this.fail(this.#at, `unexpected character inside braces: ${quoteRune(char)}`);
    }
    return this.#token('punctuation', char);
  }

  /** In brackets, before the first number. */
  #duration(char: string): Token {
    const bad = `unexpected character in duration expression: ${quoteRune(char)}`;
    if (this.#at === this.text.length) this.fail(this.#at, 'unexpected end of input in duration expression');
    if (this.#isNumber(char)) {
      this.#brackets = 'open';
      this.#number = true;
      return this.#numeral();
    }
    if (/[A-Za-z_]/.test(char)) {
      this.#number = true;
      return this.#durationWord(bad);
    }
    const operator = this.#match(DURATION_OPERATOR);
    if (operator !== undefined) return this.#token('operator', operator);
    if (char === '(') this.#parens++;
    else if (char === ')') this.#closeParen();
    else if (char === ':') this.#firstColon();
    else if (char === ']') this.#brackets = 'closed';
    else if (char !== ',') this.fail(this.#at, bad);
    return this.#token('punctuation', char);
  }

  #firstColon(): void {
    if (!this.#number) this.fail(this.#at + 1, 'unexpected colon before duration in duration expression');
    if (this.#colon) this.fail(this.#at + 1, 'unexpected repeated colon in duration expression');
    this.#colon = true;
  }

  /** In brackets, after the first number. */
  #inBrackets(char: string): Token {
    if (char !== ':') return this.#durationWord(`unexpected character: ${quoteRune(char)}, expected ':'`);
    if (this.#colon) this.fail(this.#at, "unexpected colon ':'");
    this.#colon = true;
    return this.#token('punctuation', char);
  }

  #durationWord(otherwise: string): Token {
    const word = this.#match(LETTERS) ?? '';
    if (!DURATION_WORDS.has(word.toLowerCase())) this.fail(this.#at, otherwise);
    return this.#token('keyword', word);
  }

  #openBracket(): void {
    if (this.#brackets !== 'closed') this.fail(this.#at, "unexpected left bracket '['");
    this.#brackets = 'duration';
    this.#colon = false;
    this.#number = false;
  }

  #closeBracket(): void {
    if (this.#brackets === 'closed') this.fail(this.#at, "unexpected right bracket ']'");
    this.#brackets = 'closed';
  }

  #closeParen(): void {
    // Behind it, as Prometheus has read it by then.
    if (--this.#parens < 0) this.fail(this.#at + 1, "unexpected right parenthesis ')'");
  }

  #isNumber(char: string): boolean {
    return /[0-9]/.test(char) || (char === '.' && /[0-9]/.test(this.text[this.#at + 1] ?? ''));
  }

  #numeral(): Token {
    const { kind, end } = scanNumber(this.text, this.#at);
    const text = this.text.slice(this.#at, end);
    if (kind === 'bad') this.fail(this.#at, `bad number or duration syntax: ${quote(text)}`);
    return this.#token(kind, text);
  }

  #string(mark: string): Token {
    for (let at = this.#at + 1; ; at++) {
      const char = this.text[at];
      if (char === mark) return this.#token('string', this.text.slice(this.#at, at + 1));
      if (char === '\uFFFD') this.fail(this.#at, 'invalid UTF-8 rune');
      if (mark === '`') {
        if (char === undefined) this.fail(this.#at, 'unterminated raw string');
      } else if (char === undefined || char === '\n') {
        this.fail(this.#at, 'unterminated quoted string');
      } else if (char === '\\') {
        const sequence = readEscape(this.text, at);
        const next = this.text[at + 1];
        if (sequence === undefined || ((next === "'" || next === '"') && next !== mark)) {
          this.fail(this.#at, badEscape(this.text, at));
        }
        at += sequence.length - 1;
      }
    }
  }
}

/** What is wrong with the escape sequence at a backslash. */
function badEscape(text: string, at: number): string {
  const digits: Readonly<Record<string, RegExp>> = {
    x: /^[0-9a-fA-F]{0,1}/,
    u: /^[0-9a-fA-F]{0,3}/,
    U: /^[0-9a-fA-F]{0,7}/,
  };
  const kind = text[at + 1] ?? '';
  const octal = /[0-7]/.test(kind);
  const pattern = octal ? /^[0-7]{0,2}/ : digits[kind];
  const from = octal ? at + 1 : at + 2;
  const code = text.codePointAt(
    pattern === undefined ? at + 1 : from + pattern.exec(text.slice(from))![0].length,
  );
  if (code === undefined) return 'escape sequence not terminated';
  if (pattern === undefined) return `unknown escape sequence ${codePoint(code)}`;
  const last = String.fromCodePoint(code);
  if (octal ? !/[0-7]/.test(last) : !/[0-9a-fA-F]/.test(last)) {
    return `illegal character ${codePoint(code)} in escape sequence`;
  }
  return 'escape sequence is an invalid Unicode code point';
}

/** A character as Go's %#U writes it. */
function codePoint(code: number): string {
  const hex = code.toString(16).toUpperCase().padStart(4, '0');
  const shown = quoteRune(String.fromCodePoint(code));
  return shown.startsWith("'\\") && code < 0x20 ? `U+${hex}` : `U+${hex} '${String.fromCodePoint(code)}'`;
}

/** A character as Go's %q writes it. */
function quoteRune(char: string): string {
  if (char === "'") return "'\\''";
  return char === '"' ? `'"'` : `'${quote(char).slice(1, -1)}'`;
}
