import type { LintedRule } from './context.ts';

/** An alert says how bad it is and what has happened. */
export function lintAlertFields({ file, group, rule, report }: LintedRule): void {
  if (rule.kind !== 'alert') return;
  const position = file.reader.position(rule.nameNode);
  const missing = (what: string) => report('alert-fields', `alert "${rule.name}" has no ${what}`, position);
  const named = (name: string) => (label: { name: string; text: string }) =>
    label.name === name && label.text.trim() !== '';
  if (![...group.labels, ...rule.labels].some(named('severity')))
    missing('label "severity": it counts as a warning then, and cannot be routed by it');
  if (!rule.annotations.some(named('summary')))
    missing('annotation "summary", the line that people are sent');
}
