/** Builds dist/: two bundles a side of the wall, code that is rarely needed as chunks of its own, and the types. */
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { compile } from '../src/promql/promql.ts';
import { loadRuleFiles } from '../src/rules/load.ts';
import { packRules } from '../src/rules/packed.ts';
import { shippedRules } from '../src/rules/shipped.ts';
import { declarations } from './declarations.ts';
import { lazyBuiltins } from './lazy-builtins.ts';
import { notices } from './notices.ts';

const root = resolve(import.meta.dirname, '..');
const dist = resolve(root, 'dist');

/** What stays a dependency: loaded rarely, or by nobody but the host. */
const EXTERNAL = ['systeminformation', 'bullmq'];

const common: BuildOptions & { outdir: string } = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node22',
  format: 'esm',
  splitting: true,
  outdir: dist,
  external: EXTERNAL,
  mainFields: ['module', 'main'],
  legalComments: 'none',
  metafile: true,
  // Bundled CommonJS packages ask for built-in modules by require.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);",
  },
};

rmSync(dist, { recursive: true, force: true });
// The main side apart from the agent's: it must not share chunks with what it must not load. `yaml` is external here, for it is loaded
// by a configuration file alone.
const main = await build({
  ...common,
  banner: { js: '' },
  external: [...EXTERNAL, 'yaml'],
  entryPoints: { index: 'src/index.ts', register: 'src/register.ts' },
  chunkNames: 'main-[hash]',
});
// For what cannot require an ES module: test runners, bundlers, and a Node.js that is too old, which is to be told so.
await build({
  ...common,
  format: 'cjs',
  splitting: false,
  banner: { js: "const __url = require('node:url').pathToFileURL(__filename).href;" },
  define: { 'import.meta.url': '__url' },
  external: [...EXTERNAL, 'yaml'],
  entryPoints: { index: 'src/index.ts', register: 'src/register.ts' },
  outExtension: { '.js': '.cjs' },
});
const agent = await build({
  ...common,
  entryPoints: { agent: 'src/agent/thread.ts' },
  chunkNames: 'agent-[hash]',
  minify: true,
  keepNames: true,
});
const cli = await build({ ...common, entryPoints: { cli: 'src/cli/main.ts' }, chunkNames: 'cli-[hash]' });
const { groups } = loadRuleFiles([shippedRules()], compile);
writeFileSync(resolve(dist, 'rules.json'), packRules(groups));
for (const { metafile } of [main, agent, cli])
  for (const path of Object.keys(metafile?.outputs ?? {}))
    if (path.endsWith('.js')) lazyBuiltins(resolve(root, path));
const inputs = [main, agent, cli].flatMap(({ metafile }) => Object.keys(metafile?.inputs ?? {}));
writeFileSync(resolve(root, 'THIRD-PARTY-NOTICES.txt'), notices(root, inputs));
chmodSync(resolve(dist, 'cli.js'), 0o755);

if (!process.argv.includes('--no-types')) declarations(resolve(dist, 'types'));
