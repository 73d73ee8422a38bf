import { isUtf8 } from 'node:buffer';
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { TaskwardenError } from '../model/errors.ts';
import { findRuleFiles } from './find.ts';
import { readGroups } from './read-group.ts';
import type { Compile, RuleGroup } from './rule.ts';
import { idleThresholds, settleThresholds } from './thresholds.ts';
import { YamlReader } from './yaml-reader.ts';

/** Not even read when it is larger: what {@link YamlReader} takes is at most this long. */
const MAX_BYTES = 4 * 1024 * 1024;

export interface RuleFile {
  readonly file: string;
  readonly groups: readonly RuleGroup[];
  /** What is wrong with the file, in its order; `groups` lacks what could not be read. */
  readonly errors: readonly TaskwardenError[];
}

/**
 * Reads the text of one Prometheus rule file. `compile` parses and type-checks an expression, and throws a
 * TaskwardenError whose position counts within the expression; here it becomes a position within the file.
 */
export function parseRuleFile(text: string, file: string, compile: Compile): RuleFile {
  const reader = new YamlReader(text, file);
  const root = reader.root();
  const groups = root === undefined ? [] : readGroups(reader, root, file, compile);
  return { file, groups, errors: reader.errors.toSorted(byPosition) };
}

export interface LoadedRules {
  readonly groups: readonly RuleGroup[];
  readonly files: readonly string[];
  /** Globs that match no file: not an error, but worth a line in a log. */
  readonly unmatched: readonly string[];
  /** Thresholds that no rule asks for. */
  readonly idle: readonly string[];
}

/**
 * Loads rule files by paths and globs (`*`, `?`, `[a-z]`, `**`), each file once, in the order given and sorted within a glob;
 * groups that record thresholds come first, see {@link settleThresholds}.
 *
 * @param before groups that are there already
 * @throws TaskwardenError the first error found: TASKWARDEN_FILE for a path that cannot be read, TASKWARDEN_YAML,
 * TASKWARDEN_RULE or TASKWARDEN_PROMQL with file, line and column for what is in it.
 */
export function loadRuleFiles(
  patterns: readonly string[],
  compile: Compile,
  cwd = '.',
  before: readonly RuleGroup[] = [],
): LoadedRules {
  const { files, unmatched } = findRuleFiles(patterns, cwd);
  const groups = [...before];
  for (const file of files) {
    const parsed = parseRuleFile(readRuleFile(file, cwd), file, compile);
    if (parsed.errors[0] !== undefined) throw parsed.errors[0];
    groups.push(...parsed.groups);
  }
  const idle = idleThresholds(groups.flatMap(({ rules }) => rules));
  return { groups: settleThresholds(groups), files, unmatched, idle };
}

/** @throws TaskwardenError TASKWARDEN_FILE when the file cannot be read. */
export function readRuleFile(file: string, cwd = '.'): string {
  const path = resolve(cwd, file);
  try {
    const found = statSync(path);
    const refuse = (what: string) => new TaskwardenError('TASKWARDEN_FILE', what, { file });
    if (found.isDirectory()) throw refuse(`is a folder; name its files, such as ${file}/*.yaml`);
    // A pipe that nobody writes to would never end, and hold up all else.
    if (!found.isFile()) throw refuse('is not a file');
    if (found.size > MAX_BYTES) throw refuse(`is larger than ${MAX_BYTES} bytes`);
    const bytes = readFileSync(path);
    if (!isUtf8(bytes)) throw refuse('is not UTF-8');
    return bytes.toString();
  } catch (error) {
    if (error instanceof TaskwardenError) throw error;
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : String(error);
    throw new TaskwardenError('TASKWARDEN_FILE', `cannot be read: ${reason}`, { file, cause: error });
  }
}

function byPosition(a: TaskwardenError, b: TaskwardenError): number {
  const lines = (a.position?.line ?? 0) - (b.position?.line ?? 0);
  return lines !== 0 ? lines : (a.position?.column ?? 0) - (b.position?.column ?? 0);
}
