import { fileURLToPath } from 'node:url';

/** The rules that come with the package, as a glob: beside dist/ as beside src/. */
export function shippedRules(): string {
  const up = import.meta.url.endsWith('.ts') ? '../../rules/' : '../rules/';
  return `${fileURLToPath(new URL(up, import.meta.url))}*.yaml`;
}
