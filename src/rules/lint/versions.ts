import type { Position } from '../../model/errors.ts';
import type { Node } from '../../promql/ast.ts';
import { parse } from '../../promql/parser.ts';
import { tokensOf } from '../expression-tokens.ts';
import type { RuleFileNodes, RuleNodes } from '../rule-nodes.ts';
import type { Report } from './context.ts';
import { walk } from './walk.ts';

/** Since which version Prometheus knows what (source: its CHANGELOG); older things are not listed. */
const GROUP_KEYS: Readonly<Record<string, string>> = { limit: '2.31', query_offset: '2.53', labels: '3.0' };
const RULE_KEYS: Readonly<Record<string, string>> = { keep_firing_for: '2.42' };
const FUNCTIONS: Readonly<Record<string, string>> = {
  ...since('2.26', 'last_over_time sgn clamp'),
  ...since('2.29', 'present_over_time'),
  ...since('2.31', 'sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh deg rad pi atan2'),
  // Older ones know it for native histograms alone.
  ...since('3.4', 'histogram_fraction'),
  ...since('3.14', 'first_over_time'),
};
const TEMPLATE_FUNCTIONS: Readonly<Record<string, string>> = {
  ...since('2.32', 'parseDuration'),
  ...since('2.33', 'stripPort'),
  ...since('2.36', 'stripDomain'),
  ...since('2.38', 'toTime'),
  ...since('3.6', 'toDuration now'),
  ...since('3.8', 'urlQueryEscape'),
};
const SHIFTS = '2.33';
const PLAIN_DURATIONS = '2.54';
const QUOTED_NAMES = '3.0';
const COMPUTED_DURATIONS = '3.14';

/** What Prometheus `version` would refuse of a file, or take otherwise. */
export function lintVersions(
  { groups, reader }: RuleFileNodes,
  version: string | undefined,
  report: Report,
): void {
  if (version === undefined) return;
  const tell = (position: Position, what: string, needed: string) => {
    if (isOlder(version, needed))
      report('min-prometheus', `${what} needs Prometheus ${needed}, not ${version}`, position);
  };
  const tellKeys = (fields: RuleNodes['fields'], keys: Readonly<Record<string, string>>, where: string) => {
    for (const [key, needed] of Object.entries(keys)) {
      const entry = fields.get(key);
      if (entry !== undefined) tell(reader.position(entry.keyNode), `"${key}" of ${where}`, needed);
    }
  };
  for (const group of groups) {
    tellKeys(group.fields, GROUP_KEYS, 'a group');
    for (const rule of group.rules) {
      tellKeys(rule.fields, RULE_KEYS, 'a rule');
      for (const { offset, what, needed } of needsOf(rule.expr))
        tell(reader.positionInside(rule.exprNode, offset), what, needed);
      for (const { node, text } of rule.kind === 'alert' ? [...rule.labels, ...rule.annotations] : [])
        for (const { offset, what, needed } of needsOfTemplate(text))
          tell(reader.positionInside(node, offset), what, needed);
    }
  }
}

/** Compares `major.minor`. */
function isOlder(version: string, than: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = than.split('.').map(Number);
  return major < wantedMajor || (major === wantedMajor && minor < wantedMinor);
}

interface Need {
  readonly offset: number;
  readonly what: string;
  readonly needed: string;
}

function needsOf(expr: string): Need[] {
  const needs: Need[] = [];
  const need = (offset: number, what: string, needed: string) => void needs.push({ offset, what, needed });
  for (const node of walk(parse(expr))) {
    if (node.kind === 'call' || node.kind === 'binary') {
      const name = node.kind === 'call' ? node.name : node.op;
      const needed = FUNCTIONS[name];
      if (needed !== undefined)
        need(node.kind === 'call' ? node.start : node.operator.start, `"${name}"`, needed);
    }
    const shift = node.kind === 'selector' || node.kind === 'subquery' ? node.shift : undefined;
    if (shift?.at !== undefined) need(node.start, '"@"', SHIFTS);
    if (shift !== undefined && shift.offset < 0) need(node.start, 'a negative offset', SHIFTS);
    if (node.kind === 'number' && node.duration) need(node.start, 'a duration as a number', PLAIN_DURATIONS);
    for (const label of groupingOf(node))
      if (!/^[a-zA-Z_]\w*$/.test(label)) need(node.start, `the quoted name "${label}"`, QUOTED_NAMES);
  }
  return [...needs, ...needsOfTokens(expr)];
}

function groupingOf(node: Node): readonly string[] {
  if (node.kind === 'aggregate') return node.labels;
  return node.kind === 'binary' ? [...node.matching.labels, ...node.matching.include] : [];
}

/** What the tree no longer tells: how things were written. */
function needsOfTokens(expr: string): Need[] {
  const needs: Need[] = [];
  let told = false;
  for (const { kind, text, start, before, inside, computed } of tokensOf(expr)) {
    const need = (what: string, needed: string) => void needs.push({ offset: start, what, needed });
    if (kind === 'string' && inside === 'braces' && (before === '{' || before === ','))
      need(`the quoted name ${text}`, QUOTED_NAMES);
    if (computed && !told) need('a duration that is computed', COMPUTED_DURATIONS);
    told ||= computed;
    if (kind !== 'number') continue;
    if (inside === 'brackets' || /^offset$/i.test(before)) need('a number as a duration', PLAIN_DURATIONS);
    else if (text.includes('_')) need('"_" within a number', PLAIN_DURATIONS);
  }
  return needs;
}

function needsOfTemplate(text: string): Need[] {
  const needs: Need[] = [];
  for (const { 0: action, index } of text.matchAll(/\{\{[\s\S]*?\}\}/g)) {
    // Strings are blanked out, so that only names are left.
    const code = action.replace(/"(?:[^"\\]|\\.)*"|`[^`]*`/g, (quoted) => ' '.repeat(quoted.length));
    for (const { 1: name = '', index: at } of code.matchAll(/(?<![\w.$])([a-zA-Z]\w*)/g)) {
      const needed = Object.hasOwn(TEMPLATE_FUNCTIONS, name) ? TEMPLATE_FUNCTIONS[name] : undefined;
      if (needed !== undefined)
        needs.push({ offset: index + at, what: `the template function "${name}"`, needed });
    }
  }
  return needs;
}

function since(version: string, names: string): Record<string, string> {
  return Object.fromEntries(names.split(' ').map((name) => [name, version]));
}
