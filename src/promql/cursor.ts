import { quote } from './errors.ts';
import { KEYWORDS } from './keywords.ts';
import { Lexer, type Token } from './lexer.ts';

/** Operators and modifiers of one expression: each may make its tree a level deeper, and the stack is finite. */
const MAX_OPERATORS = 1000;

/** Longer texts come from no person; a rule file may be larger. */
const MAX_LENGTH = 1 << 20;

/** The tokens of an expression with one token of look-ahead. */
export class Cursor {
  readonly #lexer: Lexer;
  #current: Token | undefined;
  #lastEnd = 0;
  #operators = 0;
  #aggregations = 0;

  constructor(text: string) {
    this.#lexer = new Lexer(text);
    if (text.length > MAX_LENGTH) this.fail(0, `expression is longer than ${MAX_LENGTH} characters`);
  }

  /** Read when it is asked for: what is known to be wrong by then is told before what comes next. */
  get current(): Token {
    this.#current ??= this.#lexer.next();
    return this.#current;
  }

  /** Where the last taken token ended. */
  get lastEnd(): number {
    return this.#lastEnd;
  }

  take(): Token {
    const taken = this.current;
    this.#lastEnd = taken.end;
    this.#current = undefined;
    return taken;
  }

  /** The keyword at the cursor in lower case: PromQL does not mind their case. */
  word(): string | undefined {
    return this.current.kind === 'keyword' ? this.current.text.toLowerCase() : undefined;
  }

  isPunctuation(text: string): boolean {
    return this.current.kind === 'punctuation' && this.current.text === text;
  }

  /** Takes an operator or what begins a modifier. */
  takeOperator(): Token {
    if (++this.#operators > MAX_OPERATORS) {
      this.fail(this.current.start, `more than ${MAX_OPERATORS} operators in one expression`);
    }
    return this.take();
  }

  /** Parses what is inside an aggregation: mistakes there are called such. */
  aggregating<T>(parse: () => T): T {
    this.#aggregations++;
    const parsed = parse();
    this.#aggregations--;
    return parsed;
  }

  /** Takes the punctuation when it is there. */
  skip(text: string): boolean {
    if (!this.isPunctuation(text)) return false;
    this.take();
    return true;
  }

  expect(text: string, context: string, expected = quote(text)): void {
    if (!this.skip(text)) this.unexpected(context, expected);
  }

  fail(offset: number, message: string): never {
    return this.#lexer.fail(offset, message);
  }

  unexpected(context = this.#aggregations > 0 ? 'aggregation' : '', expected = ''): never {
    const where = context === '' ? '' : ` in ${context}`;
    const instead = expected === '' ? '' : `, expected ${expected}`;
    return this.fail(this.current.start, `unexpected ${describe(this.current)}${where}${instead}`);
  }
}

/** A token as Prometheus names it in messages. */
function describe({ kind, text }: Token): string {
  const shown = text.length > 10 ? `${quote(text.slice(0, 10))}...` : quote(text);
  switch (kind) {
    case 'end':
      return 'end of input';
    case 'punctuation':
      return text === '@' ? '<op:@>' : shown;
    case 'operator':
      return text === '=' ? shown : `<op:${text}>`;
    case 'keyword':
      return describeKeyword(text, shown);
    case 'identifier':
    case 'metric identifier':
      return `${kind} ${quote(text)}`;
    default:
      return `${kind} ${shown}`;
  }
}

function describeKeyword(text: string, shown: string): string {
  switch (KEYWORDS.get(text.toLowerCase())) {
    case 'operator':
      return `<op:${text}>`;
    case 'aggregator':
      return `<aggr:${text}>`;
    case 'modifier':
      return `<${text}>`;
    default:
      return shown;
  }
}
