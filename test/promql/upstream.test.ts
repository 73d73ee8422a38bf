import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runScript } from './runner.ts';

/** Prometheus's own scripts, where its source is in Go's module cache. They are not part of this repository. */
const MODULE = 'github.com/prometheus/prometheus@v0.316.0';
const folder = scripts();

function scripts(): string | undefined {
  const { stdout } = spawnSync('go', ['env', 'GOMODCACHE'], { encoding: 'utf8' });
  if (typeof stdout !== 'string' || stdout.trim() === '') return undefined;
  const path = join(stdout.trim(), MODULE, 'promql/promqltest/testdata');
  return existsSync(path) ? path : undefined;
}

/** Files about what Prometheus has behind feature flags, or about native histograms alone. */
const OUT_OF_SCOPE: ReadonlySet<string> = new Set([
  'extended_vectors.test',
  'fill-modifier.test',
  'info.test',
  'limit.test',
  'native_histograms.test',
  'start_timestamps.test',
  'type_and_unit.test',
  'unquoted_utf8_names.test',
]);

/** Failures that are meant, by what the report of the case contains. */
const EXPECTED: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [
    /function "\w+" is not enabled|\w+\(\) is experimental/,
    'experimental functions are refused, as by default',
  ],
  [
    /(?:step|range)\(\) is not supported/,
    'the step and the length of a range query are not told to durations',
  ],
  [/rate\(\{env="1"\}/, 'delayed name removal is a feature flag, off by default'],
  [/sum by \(__name__\)/, 'delayed name removal is a feature flag, off by default'],
];

const skip = folder === undefined ? `${MODULE} is not in Go's module cache` : false;

test('scripts of Prometheus pass, save what is out of scope', { skip }, () => {
  let passed = 0;
  const failures: string[] = [];
  const met = new Set<string>();
  for (const file of readdirSync(folder!)) {
    if (OUT_OF_SCOPE.has(file)) continue;
    const outcome = runScript(readFileSync(join(folder!, file), 'utf8'), 1e-6);
    passed += outcome.passed;
    for (const failure of outcome.failures) {
      const expected = EXPECTED.find(([pattern]) => pattern.test(failure));
      if (expected === undefined) failures.push(`${file} ${failure}`);
      else met.add(expected[1]);
    }
  }
  assert.deepEqual(failures, []);
  assert.deepEqual(
    [...met].sort(),
    [...new Set(EXPECTED.map(([, reason]) => reason))].sort(),
    'a skip is no longer needed',
  );
  assert.ok(passed >= 1000, `only ${passed} cases were in scope`);
});
