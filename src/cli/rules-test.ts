import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { re2 } from '../promql/re2.ts';
import { findRuleFiles } from '../rules/find.ts';
import type { RuleTestFailure, RuleTestOutcome } from '../rules/testing/outcome.ts';
import { runRuleTests } from '../rules/testing/run.ts';
import { type ExitCode, FINE, FOUND, type Io } from './io.ts';
import { junit } from './junit.ts';
import { parseOptions, UseError } from './use.ts';

export const USAGE = `Usage:
  taskwarden rules test [--run REGEX]... [--diff] [--junit FILE] [--json] FILE...

Runs tests of rules in promtool's format, with the PromQL of Prometheus 3, and tells what failed in promtool's words. Rule
files are found relative to the file of tests. Native histograms are not supported.

  --run REGEX   only tests whose name matches, by any of several
  --diff        what was expected and did not come (-), and what came and was not expected (+)
  --junit FILE  writes the results there as JUnit XML, too
  --json        one line of JSON for each file

Exit codes, as promtool's: 0 all tests hold, 1 some do not or a file cannot be used; 2 wrong use.`;

const OPTIONS = {
  run: { type: 'string', multiple: true },
  diff: { type: 'boolean' },
  junit: { type: 'string' },
  json: { type: 'boolean' },
} as const;

/** Runs files of rule tests and prints what came of each. */
export function run(io: Io, args: readonly string[]): ExitCode {
  const { values, positionals } = parseOptions(args, OPTIONS);
  if (positionals.length === 0) throw new UseError('rules test needs a file');
  const wanted = filterOf(values.run);
  const { files, unmatched } = findRuleFiles(positionals, io.cwd);
  const outcomes = files.map((file) => {
    const outcome = runRuleTests(file, { cwd: io.cwd, wanted });
    if (values.json) io.out(JSON.stringify(toJson(outcome)));
    else print(io, outcome, values.diff === true);
    return outcome;
  });
  for (const pattern of unmatched) io.err(`${pattern}: no file matches`);
  if (values.junit !== undefined) writeFileSync(resolve(io.cwd, values.junit), junit(outcomes));
  const holds = unmatched.length === 0 && outcomes.every(({ failures }) => failures.length === 0);
  return holds ? FINE : FOUND;
}

/** RE2 and unanchored, as promtool's. */
function filterOf(patterns: readonly string[] | undefined): (name: string) => boolean {
  if (patterns === undefined) return () => true;
  try {
    const regex = re2().compile(patterns.join('|'));
    return (name) => regex.matcher(name).find();
  } catch (error) {
    throw new UseError(`--run: ${error instanceof Error ? error.message : error}`);
  }
}

function print(io: Io, { file, failures, unmatched }: RuleTestOutcome, diff: boolean): void {
  io.out(`Processing test file: ${file}`);
  for (const pattern of unmatched) io.err(`  WARNING: no file match pattern ${pattern}`);
  if (failures.length === 0) io.out('  SUCCESS');
  else io.err('  FAILED:');
  for (const failure of failures) {
    const { position, mismatch, message } = failure;
    // What is wrong with a file has its place in the message.
    if (position !== undefined && message.startsWith('    '))
      io.err(`  ${file}:${position.line}:${position.column}:`);
    io.err((diff && mismatch !== undefined && difference(mismatch)) || message);
  }
  io.out('');
}

/** Empty where the texts do not differ: NaN is not equal to NaN. */
function difference({ about, expected, got }: NonNullable<RuleTestFailure['mismatch']>): string {
  const lines = (mark: string, texts: readonly string[]) =>
    texts.map((text) => `          ${mark} ${text.replaceAll('\n', '\n            ')}`);
  const missing = expected.filter((text) => !got.includes(text));
  const surplus = got.filter((text) => !expected.includes(text));
  if (missing.length + surplus.length === 0) return '';
  const same = got.filter((text) => expected.includes(text));
  return [
    `${about}\n        diff:`,
    ...lines('-', missing),
    ...lines('+', surplus),
    ...lines(' ', same),
  ].join('\n');
}

function toJson({ file, cases, tests, failures, unmatched }: RuleTestOutcome) {
  const plain = ({ message, position }: RuleTestFailure) => ({ message: message.trim(), ...position });
  return {
    file,
    cases,
    tests: tests.map((test) => ({ ...test, failures: test.failures.map(plain) })),
    // Those of tests are there already.
    errors: tests.length === 0 ? failures.map(plain) : [],
    unmatched,
  };
}
