import type { LintOptions } from '../rules/lint/context.ts';
import type { Finding } from '../rules/lint/finding.ts';
import { lintRules } from '../rules/lint/lint.ts';
import { shippedRules } from '../rules/shipped.ts';
import { excerpts } from './excerpt.ts';
import type { Io } from './io.ts';
import { type ReadFile, readRuleFiles } from './rule-files.ts';

/** Lints the files without errors; what the shipped rules record is known as well. */
export function lintFiles(io: Io, files: readonly ReadFile[], options: LintOptions): Finding[] {
  if (options.lints.size === 0) return [];
  const sound = ({ errors }: ReadFile) => errors.length === 0;
  const shipped = readRuleFiles(io, [shippedRules()]).files;
  return lintRules(files.filter(sound), { ...options, besides: shipped.filter(sound) });
}

/** Writes findings to stderr, each with the line it is in. */
export function printFindings(
  io: Io,
  { text }: ReadFile,
  findings: readonly Finding[],
  severity: string,
): void {
  const excerpt = excerpts(text);
  for (const { lint, file, position, message } of findings) {
    io.err(`${file}:${position.line}:${position.column}: ${severity}: ${message} [${lint}]`);
    io.err(excerpt(position));
  }
}
