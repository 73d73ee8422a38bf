import type { Node } from 'yaml';
import { fields, readDuration, readLabels } from './read-fields.ts';
import { readRule } from './read-rule.ts';
import type { Compile, Rule, RuleGroup } from './rule.ts';
import type { YamlReader } from './yaml-reader.ts';

const GROUP_KEYS = ['name', 'interval', 'query_offset', 'limit', 'labels', 'rules'] as const;

/** The groups of a rule file; errors go to the reader, and what has none is returned. */
export function readGroups(
  reader: YamlReader,
  root: Node | null,
  file: string,
  compile: Compile,
): RuleGroup[] {
  const top = fields(reader.entries(root, 'the file', ['groups']));
  const names = new Set<string>();
  const groups: RuleGroup[] = [];
  for (const node of reader.items(top.get('groups')?.value ?? null, 'groups') ?? []) {
    const group = readGroup(reader, node, file, compile);
    if (group === undefined) continue;
    if (names.has(group.name))
      reader.fail(node ?? 0, `group "${group.name}" is given twice in this file`, 'TASKWARDEN_RULE');
    names.add(group.name);
    groups.push(group);
  }
  return groups;
}

function readGroup(
  reader: YamlReader,
  node: Node | null,
  file: string,
  compile: Compile,
): RuleGroup | undefined {
  const entries = reader.entries(node, 'a group', GROUP_KEYS);
  if (entries === undefined) return undefined;
  const own = fields(entries);
  const name = reader.text(own.get('name')?.value ?? null, 'the name of a group');
  if (name === '') reader.fail(node ?? 0, 'a group has no name', 'TASKWARDEN_RULE');
  const what = `group "${name ?? ''}"`;
  const interval = readDuration(reader, own.get('interval'), `${what}: interval`);
  const limit = reader.integer(own.get('limit')?.value ?? null, `${what}: limit`) ?? 0;
  const labels = readLabels(reader, own.get('labels'), `${what}: labels`);
  const rules: Rule[] = [];
  for (const item of reader.items(own.get('rules')?.value ?? null, `${what}: rules`) ?? []) {
    const rule = readRule(reader, item, what, labels, compile);
    if (rule !== undefined) rules.push(rule);
  }
  return {
    name: name ?? '',
    file,
    // Prometheus reads 0 as "not given", too.
    intervalMs: interval === 0 ? undefined : interval,
    limit,
    queryOffsetMs: readDuration(reader, own.get('query_offset'), `${what}: query_offset`) ?? 0,
    rules,
  };
}
