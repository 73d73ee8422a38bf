import { labelsKey } from '../../model/labels.ts';
import type { RuleFileNodes } from '../rule-nodes.ts';
import type { Report } from './context.ts';

/** As promtool's lint of that name: rules of one file that make the same series. */
export function lintDuplicates({ groups, reader }: RuleFileNodes, report: Report): void {
  const seen = new Map<string, number>();
  for (const group of groups) {
    for (const rule of group.rules) {
      const labels = [...group.labels, ...rule.labels].map(({ name, text }) => [name, text] as const);
      const key = JSON.stringify([rule.name, labelsKey(Object.fromEntries(labels))]);
      const position = reader.position(rule.nameNode);
      const first = seen.get(key);
      if (first === undefined) seen.set(key, position.line);
      else {
        const message = `"${rule.name}" with the same labels stands at line ${first} already`;
        report('duplicate-rules', message, position);
      }
    }
  }
}
