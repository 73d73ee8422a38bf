import { isScalar, type Node } from 'yaml';
import { TaskwardenError } from '../model/errors.ts';
import type { Labels } from '../model/labels.ts';
import { fields, type LabelText, readDuration, readLabels } from './read-fields.ts';
import type { Compile, Expression, Rule } from './rule.ts';
import { parseTemplate, type Template, TemplateSyntaxError } from './template.ts';
import type { Entry, YamlReader } from './yaml-reader.ts';

const RULE_KEYS = ['record', 'alert', 'expr', 'for', 'keep_firing_for', 'labels', 'annotations'] as const;

/** One rule; undefined when it cannot be used, with the reasons in the reader's errors. */
export function readRule(
  reader: YamlReader,
  node: Node | null,
  group: string,
  groupLabels: readonly LabelText[],
  compile: Compile,
): Rule | undefined {
  const before = reader.errors.length;
  const own = fields(reader.entries(node, `a rule of ${group}`, RULE_KEYS));
  // To Prometheus an empty name is none.
  for (const [one, other] of [
    ['alert', 'record'],
    ['record', 'alert'],
  ] as const)
    if (own.has(other) && isEmpty(own.get(one))) own.delete(one);
  const nameEntry = own.get('alert') ?? own.get('record');
  const kind = own.has('alert') ? 'alert' : 'record';
  const name = reader.text(nameEntry?.value ?? null, `the name of a rule of ${group}`) ?? '';
  const what = `${group}, ${kind} "${name}"`;
  const at = nameEntry?.value ?? node ?? 0;
  const fail = (place: Node | number, message: string) =>
    reader.fail(place, `${what}: ${message}`, 'TASKWARDEN_RULE');

  if (own.has('alert') && own.has('record')) fail(at, 'a rule has either "alert" or "record", not both');
  else if (nameEntry === undefined)
    reader.fail(at, `a rule of ${group} has neither "alert" nor "record"`, 'TASKWARDEN_RULE');
  else if (name === '') fail(nameEntry.keyNode, 'the name is empty');

  const labels = mergeLabels(groupLabels, readLabels(reader, own.get('labels'), `${what}: labels`));
  const annotations = readLabels(reader, own.get('annotations'), `${what}: annotations`, []);
  const holdMs = readDuration(reader, own.get('for'), `${what}: for`) ?? 0;
  const keepFiringMs = readDuration(reader, own.get('keep_firing_for'), `${what}: keep_firing_for`) ?? 0;
  const parsed = readExpression(reader, own.get('expr'), what, compile, at);

  if (kind === 'record') {
    const given = { for: holdMs > 0, keep_firing_for: keepFiringMs > 0, annotations: annotations.length > 0 };
    for (const [key, isGiven] of Object.entries(given))
      if (isGiven) fail(own.get(key)?.keyNode ?? at, `"${key}" belongs to alerts only`);
    if (name !== '' && !/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)) fail(at, 'is not a metric name');
  }
  const templates = (texts: readonly LabelText[], field: string) =>
    texts.map(
      (label) => [label.name, readTemplate(reader, label, `${what}: ${field} ${label.name}`)] as const,
    );
  const labelTemplates = kind === 'alert' ? templates(labels, 'label') : [];
  const annotationTemplates = templates(annotations, 'annotation');

  if (parsed === undefined || reader.errors.length > before) return undefined;
  const base = { name, ...parsed, position: reader.position(at) };
  return kind === 'alert'
    ? { kind, ...base, holdMs, keepFiringMs, labels: labelTemplates, annotations: annotationTemplates }
    : { kind, ...base, labels: plainLabels(labels) };
}

function isEmpty(entry: Entry | undefined): boolean {
  const value = entry?.value ?? null;
  return value === null || (isScalar(value) && value.value === '');
}

function readExpression(
  reader: YamlReader,
  entry: Entry | undefined,
  what: string,
  compile: Compile,
  at: Node | number,
): { expr: string; expression: Expression } | undefined {
  const node = entry?.value ?? null;
  const expr = reader.text(node, `${what}: expr`);
  if (expr === undefined) return undefined;
  if (node === null || expr.trim() === '') {
    reader.fail(entry?.keyNode ?? at, `${what}: "expr" is missing or empty`, 'TASKWARDEN_RULE');
    return undefined;
  }
  try {
    return { expr: expr.trim(), expression: compile(expr) };
  } catch (error) {
    if (!(error instanceof TaskwardenError)) throw error;
    const { position } = error;
    const prefix = position === undefined ? '' : `${position.line}:${position.column}: `;
    const message = error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message;
    const offset = position === undefined ? 0 : offsetOf(expr, position.line, position.column);
    reader.failInside(node, offset, `${what}: ${message}`, error.code);
    return undefined;
  }
}

function offsetOf(text: string, line: number, column: number): number {
  let start = 0;
  for (let at = 1; at < line; at++) start = text.indexOf('\n', start) + 1;
  return start + column - 1;
}

const EMPTY = parseTemplate('');

function readTemplate(reader: YamlReader, label: LabelText, what: string): Template {
  try {
    return parseTemplate(label.text);
  } catch (error) {
    if (!(error instanceof TemplateSyntaxError)) throw error;
    reader.failInside(label.node, error.offset, `${what}: ${error.message}`, 'TASKWARDEN_RULE');
    return EMPTY;
  }
}

/** The group's labels with the rule's own over them, sorted by name. */
function mergeLabels(group: readonly LabelText[], own: readonly LabelText[]): LabelText[] {
  const merged = new Map([...group, ...own].map((label) => [label.name, label]));
  return [...merged.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function plainLabels(labels: readonly LabelText[]): Labels {
  return Object.fromEntries(labels.map(({ name, text }) => [name, text]));
}
