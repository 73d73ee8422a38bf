import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { formatRuleFile } from '../rules/format.ts';
import { type ExitCode, FINE, FOUND, type Io } from './io.ts';
import { printErrors, readRuleFiles } from './rule-files.ts';
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
  for (const read of files) {
    const { file, text, errors } = read;
    if (errors.length > 0) {
      printErrors(io, read);
      found = true;
      continue;
    }
    const formatted = formatRuleFile(text, file);
    for (const { line, column } of formatted.kept)
      io.err(
        `${file}:${line}:${column}: note: stays as it is, with the comments or computed durations in it`,
      );
    if (formatted.text === text) continue;
    io.out(file);
    if (values.check) found = true;
    else writeFileSync(resolve(io.cwd, file), formatted.text);
  }
  return found ? FOUND : FINE;
}
