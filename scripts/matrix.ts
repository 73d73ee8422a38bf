/** Runs the test suite on every version of Node.js that is supported, or on those named: `npm run test:matrix [-- 22 26]`. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const VERSIONS: Readonly<Record<string, string>> = {
  22: 'node_modules/node-22/bin/node',
  24: 'node_modules/node/bin/node',
  26: 'node_modules/node-26/bin/node',
};

const args = process.argv.slice(2);
const named = args.filter((arg) => arg in VERSIONS);
const rest = args.filter((arg) => !(arg in VERSIONS));

let failed = false;
for (const [major, path] of Object.entries(VERSIONS)) {
  if (named.length > 0 && !named.includes(major)) continue;
  const node = resolve(root, path);
  if (!existsSync(node)) {
    console.error(
      `Node.js ${major}: ${path} is not there; its package has binaries for Linux on x64 only, others test on their own`,
    );
    continue;
  }
  console.log(`\n== Node.js ${major}`);
  const { status } = spawnSync(node, ['scripts/test.ts', ...rest], {
    cwd: root,
    stdio: 'inherit',
  });
  failed ||= status !== 0;
}
process.exit(failed ? 1 : 0);
