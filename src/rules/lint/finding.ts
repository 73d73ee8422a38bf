import type { Position } from '../../model/errors.ts';

/** Every lint by the name that switches it on or off. */
export const LINTS = {
  'duplicate-rules': 'two rules of a file have the same name and the same labels',
  window: 'a range is shorter than four steps of what it looks at',
  grouping: '`without` or `ignoring` on metrics to which a collector may add labels',
  'unknown-metric': 'a metric that neither the agent nor a rule makes',
  'idle-threshold': 'a threshold that no rule asks for',
  'unknown-label': 'a label that the metric, or the result of the expression, does not have',
  'alert-fields': 'an alert without the label `severity` or the annotation `summary`',
  'min-prometheus': 'what the oldest Prometheus that is to load the file does not know',
} as const;

export type LintName = keyof typeof LINTS;

/** What may be wrong with a rule that can be used. */
export interface Finding {
  readonly lint: LintName;
  readonly file: string;
  readonly position: Position;
  /** One sentence. */
  readonly message: string;
}
