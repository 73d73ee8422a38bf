import { knownSeries } from '../../model/known-series.ts';
import { parse } from '../../promql/parser.ts';
import { type RuleFileNodes, readRuleNodes } from '../rule-nodes.ts';
import { idleThresholds } from '../thresholds.ts';
import type { LintedRule, LintOptions, LintSource, Report } from './context.ts';
import { lintDuplicates } from './duplicates.ts';
import { lintAlertFields } from './fields.ts';
import type { Finding } from './finding.ts';
import { lintGrouping } from './grouping.ts';
import { lintLabels } from './labels.ts';
import { lintMetrics } from './metrics.ts';
import { type Recording, SeriesTable } from './series-table.ts';
import { lintVersions } from './versions.ts';
import { lintWindows } from './windows.ts';

const RULE_LINTS = [lintAlertFields, lintWindows, lintGrouping, lintMetrics, lintLabels];

/** Looks for what may be wrong in rule files without errors; findings come in the order of the files. */
export function lintRules(sources: readonly LintSource[], options: LintOptions): Finding[] {
  const read = ({ file, text }: LintSource) => readRuleNodes(text, file);
  const files = sources.map(read);
  const besides = (options.besides ?? []).map(read);
  const recorded = [...files, ...besides].flatMap(recordings);
  const series = new SeriesTable(knownSeries(), recorded);
  const all = [...files, ...besides].flatMap(({ groups }) => groups.flatMap(({ rules }) => rules));
  const idle = new Set(idleThresholds(all));
  return files.flatMap((file) => lintFile(file, series, idle, options));
}

function lintFile(
  file: RuleFileNodes,
  series: SeriesTable,
  idle: ReadonlySet<string>,
  options: LintOptions,
): Finding[] {
  const findings = new Map<string, Finding>();
  const report: Report = (lint, message, position) => {
    // What YAML aliases bring in twice is told once.
    const key = `${position.line}:${position.column} ${message}`;
    if (options.lints.has(lint)) findings.set(key, { lint, file: file.file, position, message });
  };
  lintDuplicates(file, report);
  lintVersions(file, options.minPrometheus, report);
  for (const group of file.groups) {
    for (const rule of group.rules) {
      const at = (offset: number) => file.reader.positionInside(rule.exprNode, offset);
      const linted: LintedRule = { file, group, rule, node: parse(rule.expr), series, options, report, at };
      for (const lint of RULE_LINTS) lint(linted);
      if (rule.kind === 'record' && idle.has(rule.name))
        report(
          'idle-threshold',
          `no rule asks for the threshold "${rule.name}"`,
          file.reader.position(rule.nameNode),
        );
    }
  }
  return [...findings.values()].sort(
    ({ position: a }, { position: b }) => a.line - b.line || a.column - b.column,
  );
}

function recordings({ groups }: RuleFileNodes): Recording[] {
  return groups.flatMap(({ rules, labels, intervalMs }) =>
    rules
      .filter(({ kind }) => kind === 'record')
      .map((rule) => ({
        name: rule.name,
        node: parse(rule.expr),
        labels: [...labels, ...rule.labels].map(({ name }) => name),
        intervalMs,
      })),
  );
}
