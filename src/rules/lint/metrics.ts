import { suggestion } from '../../config/suggest.ts';
import type { LintedRule } from './context.ts';
import { metricOf } from './result-labels.ts';
import { selectorsIn } from './walk.ts';

export function lintMetrics({ node, series, report, at }: LintedRule): void {
  for (const selector of selectorsIn(node)) {
    const metric = metricOf(selector);
    if (metric === undefined || series.has(metric)) continue;
    const message = `neither the agent nor a rule makes a metric "${metric}"${nearest(metric, series.names())}`;
    report('unknown-metric', message, at(selector.start));
  }
}

/** A name that lacks its unit or `_total` is far from the right one by letters alone. */
function nearest(metric: string, names: readonly string[]): string {
  const plain = metric.replace(/[^a-zA-Z0-9:]+/g, '_');
  const longer = names.filter((name) => name.startsWith(`${plain}_`)).sort((a, b) => a.length - b.length);
  return longer[0] === undefined ? suggestion(plain, names) : ` (did you mean "${longer[0]}"?)`;
}
