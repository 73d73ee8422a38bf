/**
 * Builds, as programs under test preload the build, and runs the test suite: `node scripts/test.ts [--built] [--coverage] [--slow]
 * [FILES…]`. Without files: everything under test/ but the suites that need Go or much time (test/interop, test/slow), which `--slow`
 * runs alone. `--built`: the build is there and new.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
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
if (!flags.has('--built')) {
  const { status } = spawnSync(process.execPath, ['scripts/build.ts', '--no-types'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}
/** A file whose process something keeps alive is not ended by the limit of its tests. */
const LIMIT_MIN = 20;
const { status, error } = spawnSync(
  process.execPath,
  [
    '--test',
    '--test-timeout=120000',
    `--test-concurrency=${availableParallelism()}`,
    ...(flags.has('--coverage') ? coverage : []),
    ...files,
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
    timeout: LIMIT_MIN * 60_000,
  },
);
if (error !== undefined)
  console.error(`the tests have not ended within ${LIMIT_MIN} minutes: ${error.message}`);
process.exit(status ?? 1);
