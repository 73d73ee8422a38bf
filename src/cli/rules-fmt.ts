import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { TaskwardenError } from '../model/errors.ts';
import { formatRuleFile } from '../rules/format.ts';
import { type ExitCode, FINE, FOUND, type Io } from './io.ts';
import { printErrors, type ReadFile, readRuleFiles } from './rule-files.ts';
import { parseOptions, UseError } from './use.ts';

export const USAGE = `Usage:
  taskwarden rules fmt [--check] FILE...

Lays out the expressions of rule files as Prometheus does ("promtool promql format"), and names the files that it has
changed. All else in them stays as it is, comments included. An expression with comments or computed durations ([5m * 2])
within it is left alone.

  --check  changes nothing, and names the files that it would change

Exit codes: 0 done, 1 a file has errors, or with --check would change, 2 wrong use.`;

const OPTIONS = { check: { type: 'boolean' } } as const;

/** Lays out the expressions of rule files. */
export function run(io: Io, args: readonly string[]): ExitCode {
  const { values, positionals } = parseOptions(args, OPTIONS);
  if (positionals.length === 0) throw new UseError('rules fmt needs a file');
  const { files, unmatched } = readRuleFiles(io, positionals);
  let found = unmatched.length > 0;
  for (const file of files) {
    const state = formatOne(io, file, values.check === true);
    if (state !== 'same') found ||= state === 'failed' || values.check === true;
  }
  return found ? FOUND : FINE;
}

function formatOne(io: Io, read: ReadFile, check: boolean): 'same' | 'changed' | 'failed' {
  const { file, text, errors } = read;
  if (errors.length > 0) {
    printErrors(io, read);
    return 'failed';
  }
  try {
    const formatted = formatRuleFile(text, file);
    for (const { line, column } of formatted.kept)
      io.err(
        `${file}:${line}:${column}: note: stays as it is, with the comments or computed durations in it`,
      );
    if (formatted.text === text) return 'same';
    io.out(file);
    if (!check) writeFileSync(resolve(io.cwd, file), formatted.text);
    return 'changed';
  } catch (error) {
    if (!(error instanceof TaskwardenError)) throw error;
    io.err(error.message);
    return 'failed';
  }
}
