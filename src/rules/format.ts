import { isScalar, type Scalar, stringify } from 'yaml';
import type { Position } from '../model/errors.ts';
import { parse } from '../promql/parser.ts';
import { prettify, print } from '../promql/print.ts';
import { tokensOf } from './expression-tokens.ts';
import { type RuleNodes, readRuleNodes } from './rule-nodes.ts';

export interface FormattedRules {
  readonly text: string;
  /** Expressions with comments of their own or computed durations: these would be lost, so they stay as they are. */
  readonly kept: readonly Position[];
}

/**
 * Lays out the expressions of a rule file without errors as Prometheus does; all else stays byte for byte.
 * @throws TaskwardenError when the result would be too large for a rule file, Error when it would mean something else,
 * which is a fault of this function.
 */
export function formatRuleFile(whole: string, file: string): FormattedRules {
  const mark = whole.startsWith('\uFEFF') ? '\uFEFF' : '';
  const text = whole.slice(mark.length);
  const { groups, reader } = readRuleNodes(text, file);
  const rules = groups.flatMap((group) => group.rules);
  const newLine = text.includes('\r\n') ? '\r\n' : '\n';
  const kept: Position[] = [];
  const edits = new Map<number, { end: number; text: string }>();
  for (const rule of rules) {
    const { exprNode } = rule;
    // What an alias or a merge key brings in is laid out where it stands.
    if (!isScalar(exprNode) || exprNode.range == null || edits.has(exprNode.range[0])) continue;
    if (losesText(rule.expr)) kept.push(reader.position(exprNode));
    else {
      const column = reader.position(rule.fields.get('expr')!.keyNode).column;
      const [start, end] = exprNode.range;
      edits.set(start, { end, text: layOut(rule, text.slice(start, end), exprNode, column - 1, newLine) });
    }
  }
  const parts: string[] = [];
  let done = 0;
  for (const [start, edit] of [...edits].sort(([a], [b]) => a - b)) {
    parts.push(text.slice(done, start), edit.text);
    done = edit.end;
  }
  const result = parts.join('') + text.slice(done);
  const again = readRuleNodes(result, file);
  if (again.reader.errors[0] !== undefined) throw again.reader.errors[0];
  assertSame(
    rules,
    again.groups.flatMap((group) => group.rules),
    file,
  );
  return { text: mark + result, kept };
}

function layOut(
  { expr, flow }: RuleNodes,
  source: string,
  scalar: Scalar,
  indent: number,
  newLine: string,
): string {
  const node = parse(expr);
  const isBlock = scalar.type === 'BLOCK_LITERAL' || scalar.type === 'BLOCK_FOLDED';
  const comment = isBlock ? (/^[^\r\n]*?(\s#[^\r\n]*)/.exec(source)?.[1] ?? '') : '';
  const lines = prettify(node).split('\n');
  if (flow || lines.length === 1) return `${inline(print(node), flow)}${comment}${isBlock ? newLine : ''}`;
  // An expression that begins with an operand's indentation needs YAML to be told how deep the text is.
  const depth = lines[0]!.startsWith(' ') ? '2' : '';
  const block = lines.map((line) => `${' '.repeat(indent + 2)}${line}`).join(newLine);
  return `|${depth}${comment}${newLine}${block}${isBlock ? newLine : ''}`;
}

/** A scalar in one line, in quotes where YAML needs them. */
function inline(text: string, flow: boolean): string {
  if (flow) return /^[\w:]+(?: [<>=!*/+-]+ [\w.]+)?$/.test(text) ? text : `'${text.replaceAll("'", "''")}'`;
  return stringify({ expr: text }, { lineWidth: 0 }).slice('expr: '.length).trimEnd();
}

/** Whether printing would lose what the author wrote: a comment, or how a duration is computed. */
function losesText(expr: string): boolean {
  return [...tokensOf(expr)].some(({ commented, computed }) => commented || computed);
}

function assertSame(before: readonly RuleNodes[], after: readonly RuleNodes[], file: string): void {
  const meaning = (rules: readonly RuleNodes[]) =>
    JSON.stringify(rules.map(({ name, kind, expr }) => [kind, name, print(parse(expr))]));
  if (meaning(before) !== meaning(after)) throw new Error(`${file}: formatting would change a rule`);
}
