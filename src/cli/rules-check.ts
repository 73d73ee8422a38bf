import { loadConfig } from '../config/config.ts';
import { suggestion } from '../config/suggest.ts';
import type { TaskwardenError } from '../model/errors.ts';
import { type Finding, LINTS, type LintName } from '../rules/lint/finding.ts';
import { type ExitCode, FINE, FOUND, type Io } from './io.ts';
import { printErrors, type ReadFile, readRuleFiles } from './rule-files.ts';
import { lintFiles, printFindings } from './rule-lints.ts';
import { durationOption, parseOptions, UseError, versionOption } from './use.ts';

const LINT_NAMES = Object.keys(LINTS) as LintName[];
const WIDTH = Math.max(...LINT_NAMES.map((name) => name.length));

export const USAGE = `Usage:
  taskwarden rules check [--json] [--lint LIST] [--lint-fatal] [--step STEP] [--min-prometheus VERSION] FILE...

Reads Prometheus rule files, by paths and globs, and tells every error with its line and column, and by lints what may be
wrong with rules that can be used.

  --json                    one line of JSON for each file
  --lint LIST               all (default), none, or names with commas between them
  --lint-fatal              what lints find counts as an error
  --step STEP               time between two samples of a series; default: store.step of the configuration here
  --min-prometheus VERSION  the oldest Prometheus that is to load the files, such as 2.42; without it nothing is told of that

Lints:
${LINT_NAMES.map((name) => `  ${name.padEnd(WIDTH)}  ${LINTS[name]}`).join('\n')}

Exit codes: 0 no errors, 1 errors, or with --lint-fatal anything found, 2 wrong use.`;

const OPTIONS = {
  json: { type: 'boolean' },
  lint: { type: 'string', default: 'all' },
  'lint-fatal': { type: 'boolean' },
  step: { type: 'string' },
  'min-prometheus': { type: 'string' },
} as const;

interface Place {
  readonly message: string;
  readonly line: number | undefined;
  readonly column: number | undefined;
}

/** What `rules check --json` prints of each file, one line each. */
export interface CheckedFile {
  readonly file: string;
  /** Rules that can be used. */
  readonly rules: number;
  readonly errors: readonly (Place & { readonly code: string })[];
  readonly warnings: readonly (Place & { readonly lint: LintName })[];
}

/** Reads rule files and prints what is wrong, or may be wrong, in them. */
export function run(io: Io, args: readonly string[]): ExitCode {
  const { values, positionals } = parseOptions(args, OPTIONS);
  if (positionals.length === 0) throw new UseError('rules check needs a file');
  const minPrometheus = values['min-prometheus'];
  const options = {
    lints: lintsOf(values.lint),
    stepMs:
      values.step === undefined
        ? loadConfig({ env: io.env, cwd: io.cwd }).store.step
        : durationOption('--step', values.step),
    minPrometheus: minPrometheus && versionOption('--min-prometheus', minPrometheus),
  };
  const { files, unmatched } = readRuleFiles(io, positionals);
  const sound = ({ errors }: ReadFile) => errors.length === 0;
  const findings = lintFiles(io, files, options);
  for (const file of files) {
    const warnings = findings.filter((finding) => finding.file === file.file);
    if (values.json) io.out(JSON.stringify(toJson(file, warnings)));
    else print(io, file, warnings);
  }
  const bad = unmatched.length > 0 || !files.every(sound) || (values['lint-fatal'] && findings.length > 0);
  return bad ? FOUND : FINE;
}

function lintsOf(list: string): ReadonlySet<LintName> {
  if (list === 'all') return new Set(LINT_NAMES);
  if (list === 'none') return new Set();
  return new Set(
    list.split(',').map((text) => {
      const name = LINT_NAMES.find((lint) => lint === text.trim());
      if (name !== undefined) return name;
      throw new UseError(`--lint: there is no lint "${text}"${suggestion(text, LINT_NAMES)}`);
    }),
  );
}

function print(io: Io, file: ReadFile, warnings: readonly Finding[]): void {
  printErrors(io, file);
  printFindings(io, file, warnings, 'warning');
  if (file.errors.length > 0) return;
  const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
  const more = warnings.length === 0 ? '' : `, ${count(warnings.length, 'warning')}`;
  io.out(`${file.file}: ${count(file.rules, 'rule')}${more}`);
}

function toJson({ file, rules, errors }: ReadFile, warnings: readonly Finding[]): CheckedFile {
  return {
    file,
    rules,
    errors: errors.map(({ code, message, position }: TaskwardenError) => ({
      ...{ code, message },
      ...{ line: position?.line, column: position?.column },
    })),
    warnings: warnings.map(({ lint, message, position }) => ({ lint, message, ...position })),
  };
}
