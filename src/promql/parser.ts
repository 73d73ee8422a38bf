import { parseDuration } from '../model/duration.ts';
import type { Aggregator, BinaryNode, BinaryOperator, Node, VectorMatching } from './ast.ts';
import { Cursor } from './cursor.ts';
import { quote } from './errors.ts';
import { FILLS, KEYWORDS, NO_METRICS } from './keywords.ts';
import { parseNumber } from './parse-duration.ts';
import { parsePostfix, parseSelector } from './parse-selector.ts';
import { EXPERIMENTAL_FUNCTIONS, NATIVE_FUNCTIONS, SIGNATURES } from './signatures.ts';
import { unquote } from './strings.ts';

/** How tightly a binary operator binds (source: Prometheus's grammar, generated_parser.y). */
const PRECEDENCE: Readonly<Record<BinaryOperator, number>> = {
  or: 1,
  and: 2,
  unless: 2,
  '==': 3,
  '!=': 3,
  '<': 3,
  '<=': 3,
  '>': 3,
  '>=': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': 5,
  atan2: 5,
  '^': 6,
};

/** A sign binds like `*`, and so more loosely than `^`: -1^2 is -(1^2). */
const SIGN_OPERAND = PRECEDENCE['^'];

/** Deeper nesting than any person writes would exhaust the stack. */
const MAX_DEPTH = 200;

/**
 * Parses an expression by operator precedence (Pratt). Types are not checked.
 * @throws TaskwardenError TASKWARDEN_PROMQL with the position and, mostly, the words of Prometheus.
 */
export function parse(text: string): Node {
  const parser = new Parser(text);
  return parser.whole();
}

class Parser {
  readonly #cursor: Cursor;
  #depth = 0;

  constructor(text: string) {
    this.#cursor = new Cursor(text);
  }

  whole(): Node {
    const cursor = this.#cursor;
    if (cursor.current.kind === 'end') cursor.fail(0, 'no expression found in input');
    const node = this.#expression(0);
    if (cursor.current.kind !== 'end') cursor.unexpected();
    return node;
  }

  #expression(loosest: number): Node {
    if (++this.#depth > MAX_DEPTH)
      this.#cursor.fail(this.#cursor.current.start, 'expression is nested too deeply');
    let left = this.#operand();
    for (;;) {
      const op = this.#operator();
      if (op === undefined || PRECEDENCE[op] < loosest) break;
      left = this.#binary(left, op);
    }
    this.#depth--;
    return left;
  }

  #operator(): BinaryOperator | undefined {
    const { kind, text } = this.#cursor.current;
    const op = kind === 'operator' ? text : this.#cursor.word();
    return op !== undefined && Object.hasOwn(PRECEDENCE, op) ? (op as BinaryOperator) : undefined;
  }

  #binary(left: Node, op: BinaryOperator): BinaryNode {
    const { start, end } = this.#cursor.takeOperator();
    const bool = this.#cursor.word() === 'bool';
    if (bool) this.#cursor.take();
    const matching = this.#matching();
    if (FILLS.has(this.#cursor.word() ?? '')) {
      this.#cursor.fail(left.start, 'binop fill modifiers are experimental and not enabled');
    }
    const right = this.#expression(op === '^' ? PRECEDENCE[op] : PRECEDENCE[op] + 1);
    const span = { start: left.start, end: right.end };
    return { kind: 'binary', op, left, right, bool, matching, operator: { start, end }, ...span };
  }

  #matching(): VectorMatching {
    const word = this.#cursor.word();
    if (word !== 'on' && word !== 'ignoring') {
      return { on: false, labels: [], card: 'one-to-one', include: [] };
    }
    this.#cursor.take();
    const labels = this.#grouping();
    const group = this.#cursor.word();
    if (group !== 'group_left' && group !== 'group_right') {
      return { on: word === 'on', labels, card: 'one-to-one', include: [] };
    }
    this.#cursor.take();
    const include = this.#cursor.isPunctuation('(') || !beginsOperand(this.#cursor) ? this.#grouping() : [];
    const card = group === 'group_left' ? 'many-to-one' : 'one-to-many';
    return { on: word === 'on', labels, card, include };
  }

  #grouping(): string[] {
    const cursor = this.#cursor;
    cursor.expect('(', 'grouping opts');
    const labels: string[] = [];
    while (!cursor.skip(')')) {
      const { kind, text, start } = cursor.current;
      if (kind === 'string') labels.push(this.#labelName(unquote(text), start));
      else if (/identifier$/.test(kind) || (kind === 'keyword' && cursor.word() !== 'without'))
        labels.push(text);
      else cursor.unexpected('grouping opts', 'label');
      cursor.take();
      if (!cursor.isPunctuation(')') && !cursor.skip(',')) cursor.unexpected('grouping opts', '"," or ")"');
    }
    return labels;
  }

  #labelName(name: string, start: number): string {
    return name === '' ? this.#cursor.fail(start, 'invalid label name for grouping: ""') : name;
  }

  #operand(): Node {
    const cursor = this.#cursor;
    const { kind, text, start, end } = cursor.current;
    if (kind === 'operator' && (text === '+' || text === '-')) {
      cursor.take();
      const expr = this.#expression(SIGN_OPERAND);
      return { kind: 'unary', op: text, expr, start, end: expr.end };
    }
    return parsePostfix(cursor, this.#primary(kind, text, start, end));
  }

  #primary(kind: string, text: string, start: number, end: number): Node {
    const cursor = this.#cursor;
    switch (kind) {
      case 'number':
        cursor.take();
        return { kind: 'number', value: parseNumber(cursor, text, start), start, end };
      case 'duration': {
        const ms = parseDuration(text) ?? cursor.fail(start, `not a valid duration string: ${quote(text)}`);
        cursor.take();
        return { kind: 'number', value: ms / 1000, duration: true, start, end };
      }
      case 'string':
        cursor.take();
        return { kind: 'string', value: unquote(text), start, end };
      case 'keyword':
        return this.#keyword(text, start);
      case 'identifier':
        cursor.take();
        return cursor.isPunctuation('(') ? this.#call(text, start) : parseSelector(cursor, text, start);
      case 'metric identifier':
        cursor.take();
        return parseSelector(cursor, text, start);
      default:
        if (cursor.isPunctuation('{')) return parseSelector(cursor, undefined, start);
        if (!cursor.isPunctuation('(')) cursor.unexpected();
        return this.#parenthesised(start);
    }
  }

  #parenthesised(start: number): Node {
    this.#cursor.take();
    const expr = this.#expression(0);
    if (!this.#cursor.skip(')')) this.#cursor.unexpected();
    return { kind: 'paren', expr, start, end: this.#cursor.lastEnd };
  }

  /** An aggregation, or a metric that has the name of a keyword. */
  #keyword(text: string, start: number): Node {
    const cursor = this.#cursor;
    const word = text.toLowerCase();
    if (NO_METRICS.has(word)) cursor.unexpected();
    cursor.take();
    const kind = KEYWORDS.get(word);
    const next = cursor.word();
    if (kind === 'aggregator' && (next === 'by' || next === 'without' || cursor.isPunctuation('('))) {
      return this.#aggregate(word, start);
    }
    if (kind === 'preprocessor' && cursor.isPunctuation('(')) return this.#call(text, start);
    if (cursor.isPunctuation('(')) cursor.unexpected();
    return parseSelector(cursor, text, start);
  }

  #aggregate(op: string, start: number): Node {
    const cursor = this.#cursor;
    let grouping = this.#aggregateGrouping();
    const args = cursor.aggregating(() => this.#args());
    grouping ??= this.#aggregateGrouping();
    const end = cursor.lastEnd;
    if (args.length === 0) cursor.fail(start, 'no arguments for aggregate expression provided');
    if (EXPERIMENTAL_AGGREGATORS.has(op)) {
      const flag = '--enable-feature=promql-experimental-functions';
      cursor.fail(start, `${op}() is experimental and must be enabled with ${flag}`);
    }
    const wanted = PARAMETERISED.has(op) ? 2 : 1;
    if (args.length !== wanted) {
      const got = `expected ${wanted}, got ${args.length}`;
      cursor.fail(start, `wrong number of arguments for aggregate expression provided, ${got}`);
    }
    const { labels, without } = grouping ?? { labels: [], without: false };
    const param = wanted === 2 ? args[0] : undefined;
    return {
      kind: 'aggregate',
      op: op as Aggregator,
      expr: args[wanted - 1]!,
      param,
      without,
      labels,
      start,
      end,
    };
  }

  #aggregateGrouping(): { labels: string[]; without: boolean } | undefined {
    const word = this.#cursor.word();
    if (word !== 'by' && word !== 'without') return undefined;
    this.#cursor.take();
    return { labels: this.#grouping(), without: word === 'without' };
  }

  #args(): Node[] {
    const cursor = this.#cursor;
    if (!cursor.skip('(')) cursor.unexpected();
    const args: Node[] = [];
    if (cursor.skip(')')) return args;
    for (;;) {
      args.push(this.#expression(0));
      if (cursor.skip(')')) return args;
      const comma = cursor.current.start;
      if (!cursor.skip(',')) cursor.unexpected();
      if (!beginsOperand(cursor)) cursor.fail(comma, 'trailing commas not allowed in function call args');
    }
  }

  #call(name: string, start: number): Node {
    const cursor = this.#cursor;
    const args = this.#args();
    if (EXPERIMENTAL_FUNCTIONS.has(name)) cursor.fail(start, `function ${quote(name)} is not enabled`);
    if (NATIVE_FUNCTIONS.has(name)) {
      cursor.fail(start, `function ${quote(name)} reads native histograms, which are not supported`);
    }
    if (!SIGNATURES.has(name)) cursor.fail(start, `unknown function with name ${quote(name)}`);
    return { kind: 'call', name, args, start, end: cursor.lastEnd };
  }
}

function beginsOperand(cursor: Cursor): boolean {
  const { kind, text } = cursor.current;
  if (kind === 'keyword') return !NO_METRICS.has(text.toLowerCase());
  if (kind === 'operator' || kind === 'punctuation') return ['+', '-', '(', '{'].includes(text);
  return kind !== 'end';
}

const PARAMETERISED: ReadonlySet<string> = new Set(['topk', 'bottomk', 'quantile', 'count_values']);

/** Aggregators that Prometheus has behind a feature flag, refused with its words. */
const EXPERIMENTAL_AGGREGATORS: ReadonlySet<string> = new Set(['limitk', 'limit_ratio']);
