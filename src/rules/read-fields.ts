import { isScalar, type Node } from 'yaml';
import { parseRuleDuration } from './duration.ts';
import type { Entry, YamlReader } from './yaml-reader.ts';

export function fields(entries: readonly Entry[] | undefined): Map<string, Entry> {
  return new Map(entries?.map((entry) => [entry.key, entry]));
}

/** A duration in ms; undefined when absent or wrong. */
export function readDuration(reader: YamlReader, entry: Entry | undefined, what: string): number | undefined {
  if (entry === undefined || entry.value === null) return undefined;
  const text = reader.text(entry.value, what);
  if (text === undefined) return undefined;
  const duration = parseRuleDuration(text);
  if (duration === undefined)
    reader.fail(
      entry.value,
      `${what}: "${text}" is not a duration, such as 30s, 5m or 1h30m`,
      'TASKWARDEN_RULE',
    );
  return duration;
}

/** Name, text and node of each label or annotation, names checked. */
export interface LabelText {
  readonly name: string;
  readonly text: string;
  readonly node: Node;
}

/** @param reserved names that may not be set */
export function readLabels(
  reader: YamlReader,
  entry: Entry | undefined,
  what: string,
  reserved: readonly string[] = ['__name__'],
): LabelText[] {
  const labels: LabelText[] = [];
  for (const { key, keyNode, value } of reader.entries(entry?.value ?? null, what) ?? []) {
    const text = reader.text(value, `${what}: ${key}`);
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(key) || reserved.includes(key))
      reader.fail(keyNode, `${what}: "${key}" is not a label name that may be set`, 'TASKWARDEN_RULE');
    else if (text !== undefined) labels.push({ name: key, text, node: isScalar(value) ? value : keyNode });
  }
  return labels;
}
