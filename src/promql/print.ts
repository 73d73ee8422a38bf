import { formatDuration } from '../model/duration.ts';
import type { AggregateNode, BinaryNode, Node, SelectorNode, TimeShift, VectorMatching } from './ast.ts';
import { formatFloat } from './format.ts';
import { quoteGo } from './strings.ts';

/** Bytes beyond which a node goes over several lines. */
const MAX_WIDTH = 100;

/**
 * An expression in one line, as Prometheus prints it (source: promql/parser/printer.go): comments go, matchers are sorted,
 * durations and numbers have their shortest form.
 */
export function print(node: Node): string {
  return new Printer().line(node);
}

/** An expression as `promtool promql format` lays it out (source: promql/parser/prettier.go). */
export function prettify(node: Node): string {
  return new Printer().pretty(node, 0);
}

class Printer {
  /** Every node's line is asked for by each node above it. */
  readonly #lines = new Map<Node, string>();

  line(node: Node): string {
    let line = this.#lines.get(node);
    if (line === undefined) {
      line = this.#print(node);
      this.#lines.set(node, line);
    }
    return line;
  }

  pretty(node: Node, level: number): string {
    const indent = '  '.repeat(level);
    const long = Buffer.byteLength(this.line(node)) > MAX_WIDTH;
    // Prometheus does not indent a subquery that fits, and its sign takes the place of the operand's indentation.
    if (node.kind === 'subquery')
      return long ? this.pretty(node.expr, level) + subquerySuffix(node) : this.line(node);
    if (node.kind === 'unary' && foldedNumber(node) === undefined)
      return `${indent}${node.op}${this.pretty(node.expr, level).trim()}`;
    if (!long) return indent + this.line(node);
    switch (node.kind) {
      case 'paren':
        return `${indent}(\n${this.pretty(node.expr, level + 1)}\n${indent})`;
      case 'binary': {
        const operands = [node.left, node.right].map((side) => this.pretty(side, level + 1));
        return operands.join(`\n${indent}${operatorText(node)}\n`);
      }
      case 'call':
        return this.#block(`${indent}${node.name}`, node.args, level);
      case 'aggregate':
        return this.#block(`${indent}${aggregatorText(node)}`, argumentsOf(node), level);
      default:
        return indent + this.line(node);
    }
  }

  #block(head: string, args: readonly Node[], level: number): string {
    const inner = args.map((arg) => this.pretty(arg, level + 1)).join(',\n');
    return `${head}(\n${inner}\n${'  '.repeat(level)})`;
  }

  #print(node: Node): string {
    const list = (nodes: readonly Node[]): string => nodes.map((item) => this.line(item)).join(', ');
    switch (node.kind) {
      case 'number':
        return numberText(node.value, node.duration === true);
      case 'string':
        return quoteGo(node.value);
      case 'paren':
        return `(${this.line(node.expr)})`;
      case 'unary':
        return foldedNumber(node) ?? `${node.op}${this.line(node.expr)}`;
      case 'selector':
        return `${selectorText(node)}${shiftText(node.shift)}`;
      case 'matrix':
        return `${selectorText(node.selector)}[${formatDuration(node.range)}]${shiftText(node.selector.shift)}`;
      case 'subquery':
        return `${this.line(node.expr)}${subquerySuffix(node)}`;
      case 'binary':
        return `${this.line(node.left)} ${operatorText(node)} ${this.line(node.right)}`;
      case 'call':
        return `${node.name}(${list(node.args)})`;
      case 'aggregate':
        return `${aggregatorText(node)}(${list(argumentsOf(node))})`;
    }
  }
}

/** A number with any signs in front of it, which Prometheus takes for one literal; undefined for other nodes. */
function foldedNumber(node: Node): string | undefined {
  let negative = false;
  let inner = node;
  for (; inner.kind === 'unary'; inner = inner.expr) if (inner.op === '-') negative = !negative;
  if (inner.kind !== 'number') return undefined;
  return numberText(negative ? -inner.value : inner.value, inner.duration === true);
}

function numberText(value: number, duration: boolean): string {
  if (!duration) return formatFloat(value);
  return `${value < 0 ? '-' : ''}${formatDuration(Math.abs(value) * 1000)}`;
}

function selectorText({ name, matchers }: SelectorNode): string {
  const texts = matchers
    .filter((matcher) => name === undefined || matcher.name !== '__name__')
    .map((matcher) => `${labelText(matcher.name)}${matcher.type}${quoteGo(matcher.value)}`)
    .sort();
  return `${name ?? ''}${texts.length === 0 ? '' : `{${texts.join(',')}}`}`;
}

function shiftText({ at, offset }: TimeShift): string {
  const when = typeof at === 'number' ? ` @ ${(at / 1000).toFixed(3)}` : at === undefined ? '' : ` @ ${at}()`;
  if (offset === 0) return when;
  return `${when} offset ${offset < 0 ? '-' : ''}${formatDuration(Math.abs(offset))}`;
}

function subquerySuffix({ range, step, shift }: Extract<Node, { kind: 'subquery' }>): string {
  const resolution = step === undefined ? '' : formatDuration(step);
  return `[${formatDuration(range)}:${resolution}]${shiftText(shift)}`;
}

function operatorText({ op, bool, matching }: BinaryNode): string {
  return `${op}${bool ? ' bool' : ''}${matchingText(matching)}`;
}

function matchingText({ on, labels, card, include }: VectorMatching): string {
  const grouped = card !== 'one-to-one';
  if (!on && labels.length === 0 && !grouped) return '';
  const group = grouped ? ` group_${card === 'many-to-one' ? 'left' : 'right'} (${labelList(include)})` : '';
  return ` ${on ? 'on' : 'ignoring'} (${labelList(labels)})${group}`;
}

function aggregatorText({ op, without, labels }: AggregateNode): string {
  if (without) return `${op} without (${labelList(labels)}) `;
  return labels.length === 0 ? op : `${op} by (${labelList(labels)}) `;
}

function argumentsOf({ param, expr }: AggregateNode): readonly Node[] {
  return param === undefined ? [expr] : [param, expr];
}

function labelList(labels: readonly string[]): string {
  return labels.map(labelText).join(', ');
}

function labelText(label: string): string {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label) ? label : quoteGo(label);
}
