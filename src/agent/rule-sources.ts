import type { Config } from '../config/config.ts';
import { compile } from '../promql/promql.ts';
import type { loadRuleFiles } from '../rules/load.ts';
import type { RuleGroup } from '../rules/rule.ts';
import { shippedGroups } from '../rules/shipped.ts';

/** Where rules come from. */
export interface RuleSources {
  /** The groups that come with the package, which never change. */
  readonly shipped: readonly RuleGroup[];
  /** Reads the user's files; undefined where there are none to be read. */
  readonly load: typeof loadRuleFiles | undefined;
}

/** Rules as the configuration has them. The parser of YAML takes a megabyte, which workers without rules of their own are spared. */
export async function openRuleSources({ rules, shippedRules }: Config): Promise<RuleSources> {
  return {
    shipped: shippedRules ? await shippedGroups(compile) : [],
    load: rules.length > 0 ? (await import('../rules/load.ts')).loadRuleFiles : undefined,
  };
}
