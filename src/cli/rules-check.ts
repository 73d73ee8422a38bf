import { TaskwardenError } from '../model/errors.ts';
import { findRuleFiles, parseRuleFile, readRuleFile } from '../rules/load.ts';
import type { Compile } from '../rules/rule.ts';
import { type ExitCode, FINE, FOUND, type Io } from './io.ts';

/** What `rules check --json` prints of each file, one line each. */
export interface CheckedFile {
  readonly file: string;
  /** Rules that can be used. */
  readonly rules: number;
  readonly errors: readonly {
    readonly code: string;
    readonly message: string;
    readonly line: number | undefined;
    readonly column: number | undefined;
  }[];
}

/** Reads rule files, by paths and globs, and prints every error in them. */
export function checkRuleFiles(
  io: Io,
  patterns: readonly string[],
  options: { readonly json: boolean; readonly compile: Compile },
): ExitCode {
  const { files, unmatched } = findRuleFiles(patterns, io.cwd);
  const checked = files.map((file) => checkFile(file, io.cwd, options.compile));
  for (const file of checked) {
    if (options.json) io.out(JSON.stringify(file));
    else if (file.errors.length === 0)
      io.out(`${file.file}: ${file.rules} ${file.rules === 1 ? 'rule' : 'rules'}`);
    for (const { message } of options.json ? [] : file.errors) io.err(message);
  }
  for (const pattern of unmatched) io.err(`${pattern}: no file matches`);
  return unmatched.length === 0 && checked.every(({ errors }) => errors.length === 0) ? FINE : FOUND;
}

function checkFile(file: string, cwd: string, compile: Compile): CheckedFile {
  try {
    const { groups, errors } = parseRuleFile(readRuleFile(file, cwd), file, compile);
    const rules = groups.reduce((sum, group) => sum + group.rules.length, 0);
    return { file, rules, errors: errors.map(plain) };
  } catch (error) {
    if (!(error instanceof TaskwardenError)) throw error;
    return { file, rules: 0, errors: [plain(error)] };
  }
}

function plain({ code, message, position }: TaskwardenError): CheckedFile['errors'][number] {
  return { code, message, line: position?.line, column: position?.column };
}
