/** All checks, as on CI: `npm test`; with `--no-tests` those that take seconds. */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const bin = (name: string): string => resolve(root, 'node_modules/.bin', name);
const node = process.execPath;

const CHECKS: readonly (readonly [string, string, readonly string[]])[] = [
  ['format and lint', bin('biome'), ['ci', '--error-on-warnings']],
  ['types', node, [resolve(root, 'node_modules/typescript/bin/tsc'), '-p', '.']],
  ['generated files', node, ['scripts/generate.ts', '--check']],
  ['build', node, ['scripts/build.ts']],
  ['package', bin('publint'), ['--strict']],
  ['package types', bin('attw'), ['--pack', '.', '--profile', 'node16', '--format', 'table-flipped']],
];
const TESTS = [['tests', node, ['scripts/test.ts', '--built', '--coverage']]] as const;

const steps = process.argv.includes('--no-tests') ? CHECKS : [...CHECKS, ...TESTS];
for (const [name, command, args] of steps) {
  const started = performance.now();
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) {
    console.error(`\n${name}: failed (${[command, ...args].join(' ').replaceAll(`${root}/`, '')})`);
    process.exit(status ?? 1);
  }
  console.log(`${name}: fine (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}
