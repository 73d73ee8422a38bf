import { isMap, type Node } from 'yaml';
import { fields, type LabelText, readDuration, readLabels } from './read-fields.ts';
import { type Entry, YamlReader } from './yaml-reader.ts';

/** A rule with the YAML nodes it is written in, for tools that tell or change what stands where. */
export interface RuleNodes {
  readonly kind: 'alert' | 'record';
  readonly name: string;
  readonly nameNode: Node;
  /** The expression as YAML gives it, surrounding white space included. */
  readonly expr: string;
  readonly exprNode: Node;
  /** Whether it is written in braces, in one line. */
  readonly flow: boolean;
  /** The rule's own labels; those of its group are not among them. */
  readonly labels: readonly LabelText[];
  readonly annotations: readonly LabelText[];
  readonly fields: ReadonlyMap<string, Entry>;
}

export interface GroupNodes {
  readonly intervalMs: number | undefined;
  readonly labels: readonly LabelText[];
  readonly fields: ReadonlyMap<string, Entry>;
  readonly rules: readonly RuleNodes[];
}

export interface RuleFileNodes {
  readonly file: string;
  readonly text: string;
  /** Tells where a node stands. */
  readonly reader: YamlReader;
  readonly groups: readonly GroupNodes[];
}

/** The nodes of a rule file. What is wrong with it is for `parseRuleFile` to tell: here it is left out. */
export function readRuleNodes(text: string, file: string): RuleFileNodes {
  const reader = new YamlReader(text, file);
  const top = fields(reader.entries(reader.root() ?? null, 'the file'));
  const groups = reader.items(top.get('groups')?.value ?? null, 'groups') ?? [];
  return { file, text, reader, groups: groups.map((node) => readGroup(reader, node)) };
}

function readGroup(reader: YamlReader, node: Node | null): GroupNodes {
  const own = fields(reader.entries(node, 'a group'));
  const rules = reader.items(own.get('rules')?.value ?? null, 'rules') ?? [];
  return {
    intervalMs: readDuration(reader, own.get('interval'), 'interval'),
    labels: readLabels(reader, own.get('labels'), 'labels'),
    fields: own,
    rules: rules.flatMap((rule) => readRule(reader, rule) ?? []),
  };
}

function readRule(reader: YamlReader, node: Node | null): RuleNodes | undefined {
  const own = fields(reader.entries(node, 'a rule'));
  const kind = own.has('alert') ? 'alert' : 'record';
  const nameNode = own.get(kind)?.value;
  const exprNode = own.get('expr')?.value;
  if (nameNode == null || exprNode == null) return undefined;
  return {
    kind,
    name: reader.text(nameNode, 'name') ?? '',
    nameNode,
    expr: reader.text(exprNode, 'expr') ?? '',
    exprNode,
    flow: isMap(node) && node.flow === true,
    labels: readLabels(reader, own.get('labels'), 'labels'),
    annotations: readLabels(reader, own.get('annotations'), 'annotations'),
    fields: own,
  };
}
