import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { unpackRules } from './packed.ts';
import type { Compile, RuleGroup } from './rule.ts';

/** The rules that come with the package, as a glob: beside dist/ as beside src/. */
export function shippedRules(): string {
  const up = import.meta.url.endsWith('.ts') ? '../../rules/' : '../rules/';
  return `${fileURLToPath(new URL(up, import.meta.url))}*.yaml`;
}

/** Their groups, from what the build has made of the files where it has. */
export async function shippedGroups(compile: Compile): Promise<readonly RuleGroup[]> {
  const packed = new URL('./rules.json', import.meta.url);
  if (!existsSync(packed)) {
    const { loadRuleFiles } = await import('./load.ts');
    return loadRuleFiles([shippedRules()], compile).groups;
  }
  return unpackRules(
    readFileSync(packed, 'utf8'),
    fileURLToPath(new URL('../rules/', import.meta.url)),
    compile,
  );
}
