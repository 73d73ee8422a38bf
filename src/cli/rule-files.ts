import { TaskwardenError } from '../model/errors.ts';
import { compile } from '../promql/promql.ts';
import { findRuleFiles } from '../rules/find.ts';
import { parseRuleFile, readRuleFile } from '../rules/load.ts';
import { excerpts } from './excerpt.ts';
import type { Io } from './io.ts';

/** A rule file as a command finds it. */
export interface ReadFile {
  readonly file: string;
  /** Empty when it cannot be read. */
  readonly text: string;
  /** Rules that can be used. */
  readonly rules: number;
  readonly errors: readonly TaskwardenError[];
}

/** The files that paths and globs name; globs that match none are told on stderr. */
export function readRuleFiles(
  io: Io,
  patterns: readonly string[],
): { files: ReadFile[]; unmatched: readonly string[] } {
  const { files, unmatched } = findRuleFiles(patterns, io.cwd);
  for (const pattern of unmatched) io.err(`${pattern}: no file matches`);
  return { files: files.map((file) => readOne(file, io.cwd)), unmatched };
}

function readOne(file: string, cwd: string): ReadFile {
  let text = '';
  try {
    text = readRuleFile(file, cwd);
    const { groups, errors } = parseRuleFile(text, file, compile);
    return { file, text, rules: groups.reduce((sum, { rules }) => sum + rules.length, 0), errors };
  } catch (error) {
    if (!(error instanceof TaskwardenError)) throw error;
    return { file, text, rules: 0, errors: [error] };
  }
}

/** Writes the errors of a file to stderr, each with the line it is in. */
export function printErrors(io: Io, { text, errors }: ReadFile): void {
  const excerpt = excerpts(text);
  for (const { message, position } of errors) {
    io.err(message);
    const shown = excerpt(position);
    if (shown !== '') io.err(shown);
  }
}
