import type { Position } from '../../model/errors.ts';
import type { Node } from '../../promql/ast.ts';
import type { GroupNodes, RuleFileNodes, RuleNodes } from '../rule-nodes.ts';
import type { LintName } from './finding.ts';
import type { SeriesTable } from './series-table.ts';

export interface LintSource {
  readonly file: string;
  readonly text: string;
}

export interface LintOptions {
  /** The lints to run; `min-prometheus` needs `minPrometheus` too. */
  readonly lints: ReadonlySet<LintName>;
  /** Time between two samples of a series, ms. */
  readonly stepMs: number;
  /** Oldest version of Prometheus that is to load the files, such as 2.42. */
  readonly minPrometheus?: string | undefined;
  /** Other rule files, whose recordings are known as well. */
  readonly besides?: readonly LintSource[];
}

export type Report = (lint: LintName, message: string, position: Position) => void;

/** What a lint is given of one rule. */
export interface LintedRule {
  readonly file: RuleFileNodes;
  readonly group: GroupNodes;
  readonly rule: RuleNodes;
  /** The rule's expression. */
  readonly node: Node;
  readonly series: SeriesTable;
  readonly options: LintOptions;
  readonly report: Report;
  /** Where an offset of the expression stands in the file. */
  readonly at: (offset: number) => Position;
}
