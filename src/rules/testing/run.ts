import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { TaskwardenError } from '../../model/errors.ts';
import { compile } from '../../promql/promql.ts';
import { findRuleFiles } from '../find.ts';
import { parseRuleFile, readRuleFile } from '../load.ts';
import type { RuleGroup } from '../rule.ts';
import { YamlReader } from '../yaml-reader.ts';
import { messageOf, type RuleTestFailure, type RuleTestOutcome } from './outcome.ts';
import { readTestFile } from './read.ts';
import { runTest } from './run-test.ts';

export interface RuleTestOptions {
  /** Folder that the path of the file begins at. */
  readonly cwd?: string;
  /** Says by its name whether a test is to be run; all are by default. */
  readonly wanted?: (name: string) => boolean;
}

/**
 * Runs a file of rule tests in promtool's format, with PromQL of Prometheus 3. Native histograms are not supported.
 * Rule files are found relative to the test file. Never throws for what is wrong with the files: that is a failure.
 */
export function runRuleTests(file: string, options: RuleTestOptions = {}): RuleTestOutcome {
  const { cwd = '.', wanted = () => true } = options;
  const failed = (errors: readonly unknown[], unmatched: readonly string[] = []): RuleTestOutcome => ({
    ...{ file, cases: 0, tests: [], unmatched },
    failures: errors.map(fromError),
  });
  try {
    const reader = new YamlReader(readRuleFile(file, cwd), file);
    const root = reader.root();
    const content = root === undefined ? undefined : readTestFile(reader, root);
    if (content === undefined || reader.errors.length > 0) return failed(reader.errors);
    const { files, unmatched } = filesOf(content.ruleFiles, file, cwd);
    const tests = content.tests.filter(({ name }) => wanted(name));
    // As in promtool, rules that no test needs may be broken.
    const rules = (tests.length === 0 ? [] : files).map((path) =>
      parseRuleFile(readRuleFile(path, cwd), path, compile),
    );
    const errors = rules.flatMap((rule) => rule.errors);
    if (errors.length > 0) return failed(errors, unmatched);
    const groups = ordered(
      rules.flatMap((rule) => rule.groups),
      content.groupOrder,
    );
    const outcomes = tests.map((test) => runTest(test, content, groups));
    return {
      file,
      cases: outcomes.reduce((sum, { cases }) => sum + cases, 0),
      failures: outcomes.flatMap(({ failures }) => failures),
      tests: outcomes,
      unmatched,
    };
  } catch (error) {
    return failed([error]);
  }
}

function filesOf(patterns: readonly string[], testFile: string, cwd: string) {
  const folder = dirname(testFile);
  const paths = patterns.map((pattern) => (isAbsolute(pattern) ? pattern : join(folder, pattern)));
  const { files, unmatched } = findRuleFiles(paths, cwd);
  const exists = (path: string) => existsSync(resolve(cwd, path));
  return { files: files.filter(exists), unmatched: [...unmatched, ...files.filter((path) => !exists(path))] };
}

/** Groups that the order does not name come first. */
function ordered(groups: readonly RuleGroup[], order: readonly string[]): RuleGroup[] {
  return groups.toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
}

function fromError(error: unknown): RuleTestFailure {
  // The position is within the message, as is the file, which may be one of rules.
  const position = error instanceof TaskwardenError ? error.position : undefined;
  return { position, message: messageOf(error) };
}
