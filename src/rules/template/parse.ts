import { type Token, tokenize } from './lex.ts';
import { type Operand, type Pipe, type TemplateNode, TemplateSyntaxError } from './syntax.ts';

/** Nested blocks and parentheses beyond which a template is refused. */
const MAX_DEPTH = 100;

export interface ParsedTemplate {
  readonly nodes: readonly TemplateNode[];
  /** Bodies of `define` and `block`, by name. */
  readonly defined: ReadonlyMap<string, readonly TemplateNode[]>;
}

/**
 * Parses a Go template. `variables` are defined beforehand, as `$name`; `isFunction` tells which words are functions.
 * @throws TemplateSyntaxError
 */
export function parse(
  text: string,
  variables: readonly string[],
  isFunction: (name: string) => boolean,
): ParsedTemplate {
  return new Parser(tokenize(text), variables, isFunction).template();
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #isFunction: (name: string) => boolean;
  readonly #defined = new Map<string, readonly TemplateNode[]>();
  #variables: string[];
  #at = 0;
  #depth = 0;
  #loops = 0;

  constructor(tokens: readonly Token[], variables: readonly string[], isFunction: (name: string) => boolean) {
    this.#tokens = tokens;
    this.#variables = ['$', ...variables];
    this.#isFunction = isFunction;
  }

  template(): ParsedTemplate {
    const { nodes, stop } = this.#list([]);
    if (stop !== '') throw this.#unexpected();
    return { nodes, defined: this.#defined };
  }

  /** Nodes up to an action that begins with one of `stops`, which is consumed, or to the end. */
  #list(stops: readonly string[]): { nodes: TemplateNode[]; stop: string } {
    const nodes: TemplateNode[] = [];
    for (;;) {
      const token = this.#next();
      if (token.kind === 'end') {
        if (stops.length > 0)
          throw new TemplateSyntaxError('unexpected EOF: an {{end}} is missing', token.at);
        return { nodes, stop: '' };
      }
      if (token.kind === 'text') nodes.push({ kind: 'text', text: token.text });
      else if (stops.includes(this.#peek().text) && this.#peek().kind === 'word') {
        return { nodes, stop: this.#next().text };
      } else {
        const node = this.#action();
        if (node !== undefined) nodes.push(node);
      }
    }
  }

  #action(): TemplateNode | undefined {
    const { kind, text: word } = this.#peek();
    if (kind === 'word') {
      if (word === 'if' || word === 'with' || word === 'range') return this.#control(word);
      if (word === 'define') return this.#define();
      if (word === 'template' || word === 'block') return this.#call(word);
      if (word === 'break' || word === 'continue') {
        if (this.#loops === 0)
          throw new TemplateSyntaxError(`{{${word}}} outside {{range}}`, this.#peek().at);
        this.#next();
        this.#close();
        return { kind: word };
      }
      if (word === 'else' || word === 'end') throw this.#unexpected();
    }
    const pipe = this.#pipe();
    this.#close();
    return { kind: 'action', pipe };
  }

  #control(kind: 'if' | 'with' | 'range'): TemplateNode {
    this.#next();
    const scope = this.#variables.length;
    const pipe = this.#pipe(kind === 'range');
    this.#close();
    this.#enter();
    if (kind === 'range') this.#loops++;
    let { nodes: body, stop } = this.#list(['else', 'end']);
    if (kind === 'range') this.#loops--;
    let otherwise: TemplateNode[] = [];
    if (stop === 'else') {
      const next = this.#peek();
      if (next.kind === 'word' && (next.text === kind || next.text === 'if') && kind !== 'range') {
        otherwise = [this.#control(next.text as 'if' | 'with')];
        this.#depth--;
        this.#variables.length = scope;
        return { kind, pipe, body, otherwise };
      }
      this.#close();
      ({ nodes: otherwise, stop } = this.#list(['end']));
    }
    this.#close();
    this.#depth--;
    this.#variables.length = scope;
    return { kind, pipe, body, otherwise };
  }

  #define(): undefined {
    if (this.#depth > 0) throw this.#unexpected();
    this.#next();
    const name = this.#string('define');
    this.#close();
    this.#defined.set(name, this.#body());
  }

  #call(word: 'template' | 'block'): TemplateNode {
    this.#next();
    const name = this.#string(word);
    const pipe = this.#peek().kind === 'close' ? undefined : this.#pipe();
    if (pipe === undefined && word === 'block')
      throw new TemplateSyntaxError('missing value for block', this.#peek().at);
    this.#close();
    if (word === 'block') this.#defined.set(name, this.#body());
    return { kind: 'template', name, pipe };
  }

  /** A body of its own: it sees no variables but `$`. */
  #body(): TemplateNode[] {
    const outer = this.#variables;
    const loops = this.#loops;
    this.#variables = ['$'];
    this.#loops = 0;
    this.#enter();
    const { nodes } = this.#list(['end']);
    this.#close();
    this.#depth--;
    this.#variables = outer;
    this.#loops = loops;
    return nodes;
  }

  #pipe(inRange = false): Pipe {
    const variables = this.#declarations(inRange);
    const commands: Operand[][] = [];
    // Like Go, a pipe with nothing behind it is let pass.
    do commands.push(this.#command());
    while (this.#accept('|') && !this.#atPipeEnd());
    commands.forEach((command, at) => {
      const first = command[0]!;
      if (at > 0 && ['constant', 'dot', 'nil'].includes(first.kind))
        throw new TemplateSyntaxError('non executable command in pipeline', first.at);
    });
    if (!variables.assign) this.#variables.push(...variables.names);
    return { variables: variables.names, assign: variables.assign, commands };
  }

  #declarations(inRange: boolean): { names: string[]; assign: boolean } {
    const start = this.#at;
    const names: string[] = [];
    while (this.#peek().kind === 'variable') {
      names.push(this.#next().text);
      if (inRange && names.length === 1 && this.#accept(',')) continue;
      if (this.#accept(':=')) return { names, assign: false };
      if (this.#accept('=')) {
        for (const name of names) this.#known(name, this.#tokens[start]!.at);
        return { names, assign: true };
      }
      break;
    }
    this.#at = start;
    return { names: [], assign: false };
  }

  #command(): Operand[] {
    const operands: Operand[] = [];
    for (;;) {
      const token = this.#peek();
      if (token.kind === 'close' || (token.kind === 'mark' && [')', '|'].includes(token.text))) break;
      if (operands.length > 0 && !token.spaced) throw this.#unexpected();
      operands.push(this.#operand());
    }
    if (operands.length === 0) throw new TemplateSyntaxError('missing value for command', this.#peek().at);
    return operands;
  }

  #operand(): Operand {
    const base = this.#term();
    const path: string[] = [];
    while (this.#peek().kind === 'field' && !this.#peek().spaced) path.push(this.#next().text);
    if (path.length === 0) return base;
    if (base.kind === 'field') return { ...base, path: [...base.path, ...path] };
    if (base.kind === 'variable') return { ...base, path };
    if (base.kind !== 'pipe') throw new TemplateSyntaxError(`unexpected .${path[0]} after a value`, base.at);
    return { kind: 'chain', base, path, at: base.at };
  }

  #term(): Operand {
    const token = this.#next();
    const { at, text } = token;
    switch (token.kind) {
      case 'field':
        return { kind: 'field', path: [text], at };
      case 'variable':
        this.#known(text, at);
        return { kind: 'variable', name: text, path: [], at };
      case 'string':
        return { kind: 'constant', value: text, at };
      case 'number':
        return { kind: 'constant', value: numberOf(text, at), at };
      case 'word':
        if (text === 'nil') return { kind: 'nil', at };
        if (text === 'true' || text === 'false') return { kind: 'constant', value: text === 'true', at };
        if (!this.#isFunction(text)) throw new TemplateSyntaxError(`function "${text}" not defined`, at);
        return { kind: 'function', name: text, at };
      default:
        if (text === '.') return { kind: 'dot', at };
        if (text !== '(') throw this.#unexpected(token);
        return this.#parenthesized(at);
    }
  }

  #atPipeEnd(): boolean {
    const { kind, text } = this.#peek();
    return kind === 'close' || (kind === 'mark' && text === ')');
  }

  #parenthesized(at: number): Operand {
    this.#enter();
    const pipe = this.#pipe();
    if (!this.#accept(')')) throw this.#unexpected();
    this.#depth--;
    return { kind: 'pipe', pipe, at };
  }

  #string(context: string): string {
    const token = this.#next();
    if (token.kind !== 'string') throw this.#unexpected(token, ` in ${context} clause`);
    return token.text;
  }

  #known(name: string, at: number): void {
    if (!this.#variables.includes(name)) throw new TemplateSyntaxError(`undefined variable "${name}"`, at);
  }

  #enter(): void {
    if (++this.#depth > MAX_DEPTH) throw new TemplateSyntaxError('nested too deeply', this.#peek().at);
  }

  #close(): void {
    if (this.#peek().kind !== 'close') throw this.#unexpected();
    this.#at++;
  }

  #accept(mark: string): boolean {
    const token = this.#peek();
    const matches = token.kind === 'mark' && token.text === mark;
    if (matches) this.#at++;
    return matches;
  }

  #peek(): Token {
    return this.#tokens[Math.min(this.#at, this.#tokens.length - 1)]!;
  }

  #next(): Token {
    const token = this.#peek();
    this.#at++;
    return token;
  }

  #unexpected(token = this.#peek(), where = ''): TemplateSyntaxError {
    const what = token.kind === 'end' ? 'EOF' : token.kind === 'open' ? '{{' : JSON.stringify(token.text);
    return new TemplateSyntaxError(`unexpected ${what}${where}`, token.at);
  }
}

/** Go's ideal constants: whole numbers are integers (bigint here), those with a point or an exponent are floats. */
function numberOf(text: string, at: number): number | bigint {
  const digits = text.replaceAll('_', '').replace(/^\+/, '');
  if (/^-?0[xX]/.test(digits)) return digits.startsWith('-') ? -BigInt(digits.slice(1)) : BigInt(digits);
  if (/[.eE]/.test(digits)) return Number(digits);
  const octal = /^-?0[0-9]/.test(digits);
  if (octal && /[89]/.test(digits)) throw new TemplateSyntaxError(`bad number syntax: "${text}"`, at);
  return octal ? BigInt(Number.parseInt(digits, 8)) : BigInt(digits);
}
