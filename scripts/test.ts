/**
 * Runs the test suite: `node scripts/test.ts [--coverage] [--slow] [FILES…]`. Without files: everything under test/ but the suites that
 * need Go or much time (test/interop, test/slow), which `--slow` runs alone.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const args = process.argv.slice(2);
const flags = new Set(args.filter((arg) => arg.startsWith('--')));
const named = args.filter((arg) => !arg.startsWith('--'));
const isSlow = (file: string): boolean => /^test\/(interop|slow)\//.test(file);

const files =
  named.length > 0
    ? named
    : globSync('test/**/*.test.ts', { cwd: root })
        .filter((file) => isSlow(file) === flags.has('--slow'))
        .sort();

const coverage = [
  '--experimental-test-coverage',
  '--test-coverage-include=src/**/*.ts',
  '--test-coverage-lines=90',
];
const { status } = spawnSync(
  process.execPath,
  [
    '--test',
    '--test-timeout=120000',

    ...(flags.has('--coverage') ? coverage : []),
    ...files,
  ],
  { cwd: root, stdio: 'inherit', env: { ...process.env, NODE_NO_WARNINGS: '1' } },
);
process.exit(status ?? 1);
