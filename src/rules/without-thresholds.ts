import { isMap, isSeq, parseDocument } from 'yaml';

/** The text of a sound rule file without its recordings of some thresholds, all else as it was but for the layout. */
export function withoutThresholds(text: string, names: ReadonlySet<string>): string {
  const document = parseDocument(text);
  const groups = document.get('groups');
  let isChanged = false;
  for (const group of isSeq(groups) ? groups.items : []) {
    const rules = isMap(group) ? group.get('rules') : undefined;
    if (!isSeq(rules)) continue;
    const kept = rules.items.filter((rule) => !isMap(rule) || !names.has(String(rule.get('record'))));
    isChanged ||= kept.length < rules.items.length;
    // A comment in front of the first rule counts as one about the list.
    if (kept[0] !== rules.items[0]) rules.commentBefore = null;
    if (isMap(kept[0])) kept[0].spaceBefore = false;
    rules.items = kept;
  }
  return isChanged ? document.toString({ lineWidth: 0 }) : text;
}
