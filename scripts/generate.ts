import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { dashboardJson } from '../src/dashboards/generate.ts';
import { metricsDocument } from '../src/dashboards/metrics-doc.ts';
import { DASHBOARDS } from '../src/dashboards/panels.ts';
import { configurationDocument } from './configuration-doc.ts';

/**
 * `node scripts/generate.ts` writes every generated file; with `--check` it writes none, names those that are stale and
 * exits with 1 when there are any.
 */
const ROOT = resolve(import.meta.dirname, '..');
const FILES = new Map<string, string>([
  ...DASHBOARDS.map((spec) => [`dashboards/${spec.file}.json`, dashboardJson(spec)] as const),
  ['docs/metrics.md', metricsDocument()],
  ['docs/configuration.md', configurationDocument()],
]);

const stale = [...FILES].filter(([path, text]) => read(path) !== text);
if (process.argv.includes('--check')) {
  for (const [path] of stale) console.error(`${path} is stale: run "npm run generate" and commit it`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  for (const [path, text] of stale) {
    mkdirSync(dirname(resolve(ROOT, path)), { recursive: true });
    writeFileSync(resolve(ROOT, path), text);
    console.log(`wrote ${path}`);
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(resolve(ROOT, path), 'utf8');
  } catch {
    return undefined;
  }
}
