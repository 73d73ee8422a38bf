import type { RuleGroup } from './rule.ts';

/** Recordings whose names begin so are the bounds of alerts. */
export const THRESHOLD_PREFIX = 'taskwarden:threshold:';

const NAME = new RegExp(`${THRESHOLD_PREFIX}[a-zA-Z0-9_:]+`, 'g');

/**
 * Makes the thresholds of several files one set: of recordings of the same threshold the last one counts, so that a user's file takes
 * the place of the shipped one threshold by threshold; and groups that record any come first, so that other groups see them at the
 * very first evaluation. All else keeps its order.
 */
export function settleThresholds(groups: readonly RuleGroup[]): readonly RuleGroup[] {
  const last = new Map(groups.flatMap(({ rules }) => rules.map((rule) => [rule.name, rule] as const)));
  const [first, rest]: RuleGroup[][] = [[], []];
  for (const group of groups) {
    if (!group.rules.some(isThreshold)) rest!.push(group);
    else {
      const rules = group.rules.filter((rule) => !isThreshold(rule) || last.get(rule.name) === rule);
      if (rules.length > 0) first!.push(rules.length === group.rules.length ? group : { ...group, rules });
    }
  }
  return [...first!, ...rest!];
}

export function isThreshold({ kind, name }: { kind: 'alert' | 'record'; name: string }): boolean {
  return kind === 'record' && name.startsWith(THRESHOLD_PREFIX);
}

/** Names of thresholds that are recorded but stand in no expression: most likely misspelt. */
export function idleThresholds(
  rules: readonly { readonly kind: 'alert' | 'record'; readonly name: string; readonly expr: string }[],
): string[] {
  const asked = new Set(rules.flatMap(({ expr }) => expr.match(NAME) ?? []));
  return rules.filter((rule) => isThreshold(rule) && !asked.has(rule.name)).map(({ name }) => name);
}
